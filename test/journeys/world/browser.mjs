// What a browser without JavaScript does with the page behind a link: node browser.mjs LINK [CREDENTIAL VERDICT]
const [link, credential, verdict] = process.argv.slice(2);
const { origin, pathname } = new URL(link);
let cookie = "";

async function open(path, fields) {
  const response = await fetch(`${origin}${path}`, {
    redirect: "manual",
    headers: { cookie, ...(fields && { origin }) },
    ...(fields && { method: "POST", body: new URLSearchParams(fields) }),
  });
  cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
  const next = response.headers.get("location");
  return next ? open(next) : response.text();
}

const partsOf = (page) => [...page.matchAll(/<(p|dt|pre)(?: [^>]*)?>(.*?)<\/\1>/gs)].map(([, kind, text]) => `${kind === "pre" ? "    " : "  "}${text.replace(/<[^>]*>/g, "")}`);
const show = (page) => console.log([`* ${/<h1>(.*?)<\/h1>/s.exec(page)?.[1]}`, ...partsOf(page)].join("\n"));
const keyOf = (page) => /name="form" value="(.*?)"/.exec(page)?.[1] ?? "";

const entry = await open(pathname);
show(entry);
if (credential) {
  const card = await open(`${pathname}/sign-in`, { form: keyOf(entry), credential });
  show(card);
  show(await open(pathname, { form: keyOf(card), verdict, comment: "the plan is old" }));
}
