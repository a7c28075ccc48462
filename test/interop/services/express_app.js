// An Express service on the port of its argument that answers with what it read.
const express = require('express')
const app = express()
app.set('query parser', 'extended')
app.use(express.json({ type: ['json', '+json'] }), express.urlencoded({ extended: true, type: 'urlencoded' }))

function echo (admin) {
  return (request, response) => {
    const body = request.body && typeof request.body === 'object' ? request.body : {}
    const roles = body.roles && typeof body.roles === 'object' ? Object.values(body.roles) : [body.roles]
    const form = Boolean(request.is('urlencoded'))
    response.json({ service: 'express', method: request.method, path: request.path, query: request.query, headers: { ...request.trailers, ...request.headers }, body: form ? {} : body, form: form ? body : {}, admin: admin || roles.includes('admin') })
  }
}

app.all('/admin/users', echo(true)) // it takes any case
app.use(echo(false))
app.use((error, request, response, next) => response.status(error.status || 500).end())
app.listen(Number(process.argv[2]), '127.0.0.1')
