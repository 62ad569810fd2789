// A plain `fetch` script: what one writes without a client library.
// Arguments: get|list|watch https://HOST:PORT TOKEN-FILE PATH [COUNT [WAYS]]
const [mode, server, tokenFile, path, count = "1", ways = "1"] = Deno.args;
const headers = { authorization: `Bearer ${Deno.readTextFileSync(tokenFile).trim()}` };
const tally = { count: 0, weight: 0 };

async function ask() {
  const response = await fetch(server + path, { headers });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}

function add({ metadata }, type = "") {
  const { name = "", namespace = "", uid = "", resourceVersion = "" } = metadata;
  tally.count += 1;
  tally.weight += type.length + name.length + namespace.length + uid.length + resourceVersion.length;
}

async function gets(times) {
  for (let i = 0; i < times; i++) add(await (await ask()).json());
}

async function list() {
  for (const item of (await (await ask()).json()).items) add(item);
}

async function watch(wanted) {
  let open = "";
  for await (const piece of (await ask()).body.pipeThrough(new TextDecoderStream())) {
    const lines = (open + piece).split("\n");
    open = lines.pop();
    for (const line of lines) {
      const { type, object } = JSON.parse(line);
      add(object, type);
      if (tally.count === wanted) return;
    }
  }
  throw new Error("the watch ended early");
}

const begin = performance.now();
if (mode === "get") {
  const share = (way) => Math.floor(count / ways) + (way < count % ways ? 1 : 0);
  await Promise.all(Array.from({ length: +ways }, (_, way) => gets(share(way))));
} else if (mode === "list") {
  await list();
} else {
  await watch(+count);
}
console.log(`found ${tally.count} ${tally.weight} ${(performance.now() - begin) / 1000}`);
Deno.exit(0);
