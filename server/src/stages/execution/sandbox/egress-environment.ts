/** Port of the sandbox's loopback that leads to the egress door. */
export const egressPort = 3128;

/**
 * What programs inside must find so that they use the door unchanged: curl, git, npm, pip, Python, Node, and agents made of these. Each has a
 * variable of its own for both, the proxy and whom to trust. `ca` is a file inside that holds the session's authority and nobody else: whoever
 * else a server outside shows, it is the door that looks at that.
 */
export function egressEnvironment(ca: string): Record<string, string> {
  const proxy = `http://127.0.0.1:${egressPort}`;
  const here = "127.0.0.1,localhost";
  const of = (names: readonly string[], value: string) => Object.fromEntries(names.map((name) => [name, value]));
  return {
    ...of(["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy", "npm_config_proxy", "npm_config_https_proxy"], proxy),
    ...of(["NO_PROXY", "no_proxy", "npm_config_noproxy"], here),
    ...of(["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "npm_config_cafile", "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"], ca),
    NODE_USE_ENV_PROXY: "1",
  };
}
