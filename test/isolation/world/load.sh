# What runs in each sandbox: makes effects one after the other, by requests through the egress door and by MCP calls, and says what it reads of each.
# Arguments: the upstream `host:port`, and the number that its effects begin with. A shell and curl, since programs start slowly in an emulated machine.
upstream=$1

web() {
  curl -sS --noproxy '' -x http://127.0.0.1:3128 -X POST -w ' %{http_code}' "http://$upstream/effect?n=$1" 2>&1
}

mcp() {
  meta='"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"load","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}'
  body='{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{"n":'$1'},'$meta'}}'
  curl -sS -w ' %{http_code}' -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' -H 'mcp-protocol-version: 2026-07-28' \
    -H 'mcp-method: tools/call' -H 'mcp-name: count' -d "$body" "$LANYARD_MCP_URL" 2>&1
}

work() {
  n=$2
  while :; do
    said=$($1 "$n" | tr '\n' ' ')
    echo "$1 $n $said"
    n=$((n + 2))
    sleep 1 # Seven of them share two processors, and each has to get its turn.
  done
}

work web "$2" &
work mcp $(($2 + 1))
