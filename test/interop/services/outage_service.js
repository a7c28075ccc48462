// A service that fails on command. Arguments: port, and for TLS certificate, key and bundle. Each line on standard input
// is what it does from now on: ok, 500, slow, reset (in the middle of an answer) or notls (it ends new connections).
const fs = require('fs'), http = require('http'), https = require('https'), readline = require('readline')
const [port, certificate, key, bundle] = process.argv.slice(2)
let mode = 'ok', served = 0

function serve(request, response) {
  served++
  const body = 'from ' + port
  if (mode === '500') return response.writeHead(500).end('failing')
  if (mode === 'slow') return setTimeout(() => response.end(body), 5000)
  if (mode === 'reset') {
    response.writeHead(200, { 'content-length': 100000 })
    response.write('part')
    return setTimeout(() => request.socket.destroy(), 5)
  }
  response.writeHead(200, { 'content-length': body.length }).end(body)
}

const server = certificate
  ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key), ca: fs.readFileSync(bundle), requestCert: true, rejectUnauthorized: true }, serve)
  : http.createServer(serve)
server.keepAliveTimeout = 60000
const open = new Set()
server.on('connection', socket => {
  if (mode === 'notls') return socket.destroy()
  open.add(socket)
  socket.on('close', () => open.delete(socket))
})
server.listen(Number(port), '127.0.0.1', () => console.log('listening'))
readline.createInterface({ input: process.stdin }).on('line', line => {
  mode = line
  if (mode === 'notls') for (const socket of open) socket.destroy()
  console.log(served)
})
