// Reads a line of base64 for each document and writes what JSON.parse reads in it (see documents.py), or "-".
// Bytes are decoded as fetch() does: a BOM is skipped, invalid UTF-8 becomes U+FFFD.
const hex = (text) => Buffer.from(text, 'utf8').toString('hex')

function render(v) {
  if (v === null || typeof v === 'boolean') return String(v)
  if (typeof v === 'string') return '"' + hex(v) + '"'
  if (typeof v === 'number') return '#n' + (Number.isInteger(v) ? BigInt(v).toString() : v === Infinity ? 'inf' : v === -Infinity ? '-inf' : String(v))
  if (Array.isArray(v)) return '[' + v.length + '|' + v.map(render).join(',') + ']'
  return '{' + Object.keys(v).filter((name) => v[name] !== null).map((name) => hex(name) + ':' + render(v[name])).sort().join(',') + '}'
}

const out = []
for (const line of require('fs').readFileSync(0, 'latin1').split('\n').slice(0, -1)) {
  try {
    out.push(render(JSON.parse(new TextDecoder().decode(Buffer.from(line, 'base64')))))
  } catch (e) {
    out.push('-')
  }
}
process.stdout.write(out.map((text) => text + '\n').join(''))
