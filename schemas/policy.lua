---@meta
-- The names that Yett policies can use, for editors with a Lua language server: add this file to its workspace library
-- (Lua.workspace.library). It is never run. test/check_schema.py compares it with the engine.

---@class yett.principal
---@field id string SPIFFE ID, or `dns:NAME/host`, `cn:NAME/name`
---@field trust_domain string
---@field path string path of the SPIFFE ID, with its leading slash
---@field kind "x509-svid"|"x509-dns"|"x509-cn"|"anonymous"

---@class yett.endpoint
---@field ip string
---@field port integer

---@class yett.tls
---@field version string
---@field cipher string
---@field sni string

---@class yett.grpc
---@field service string
---@field method string

---@class yett.body
---@field complete boolean whether policy sees the whole body; true only if the route sets buffer_body
---@field size integer
---@field json any

---A verified token.
---@class yett.token
---@field subject string
---@field issuer string
---@field audiences string[]
---@field expires integer seconds since 1970
---@field key_id string
---@field claims table<string, any>

---@class yett.svid: yett.token
---@field id string its SPIFFE ID
---@field trust_domain string
---@field path string

---@class yett.client
---@field ip string the address that the last of the trusted forwarders saw; without one, that of the peer

---The request. Reading an absent field is an error: check with has() or use optional().
---@class yett.request
---@field method string
---@field scheme "http"|"https"
---@field host string lower case, without a port
---@field path string canonical
---@field raw_path string as sent, query included
---@field protocol string
---@field time integer seconds since 1970; a result that depends on it is remembered only within `ttl`
---@field query table<string, string>
---@field header table<string, string> names in lower case
---@field params table<string, string> captures of the path
---@field principal yett.principal
---@field source yett.endpoint the socket's peer
---@field destination yett.endpoint
---@field tls yett.tls
---@field grpc yett.grpc
---@field body yett.body
---@field jwt table<string, yett.token> verified tokens by the names of their providers
---@field jwt_svid yett.svid
---@field via string[] the SPIFFE IDs in front of a trusted forwarder, the nearest first
---@field client yett.client
local request = {}

---All values of a header, in order.
---@param name string
---@return string[]
function request:headers(name) end

---@class yett.re
local expression = {}
---Whether the whole text matches.
---@param text string
---@return boolean
function expression:matches(text) end

---@class yett.cidr
local range = {}
---@param ip string
---@return boolean
function range:contains(ip) end

---@alias yett.texts string|yett.re|(string|yett.re)[]
---@alias yett.claims yett.texts|integer|boolean|(string|yett.re|integer|boolean)[]
---Times of day and days of the week: { "09:00-18:00", "mon-fri", zone = "Europe/Berlin" }
---@class yett.hours
---@field zone string IANA name of a time zone, or "UTC"
---@field [integer] string

---@alias yett.condition fun(r: yett.request): boolean, string?

---@class yett.rule
---@field principal? yett.texts SPIFFE ID pattern, `authenticated`, `anyone`, or `dns:NAME/host`, `cn:NAME/name`
---@field not_principal? yett.texts
---@field method? string|string[]
---@field not_method? string|string[]
---@field host? yett.texts
---@field not_host? yett.texts
---@field path? yett.texts
---@field not_path? yett.texts
---@field header? table<string, yett.texts> also `absent`, alone or in a list
---@field not_header? table<string, yett.texts> also `absent`, alone or in a list
---@field query? table<string, yett.texts>
---@field not_query? table<string, yett.texts>
---@field source? string|yett.cidr|(string|yett.cidr)[] address or range of the socket's peer
---@field not_source? string|yett.cidr|(string|yett.cidr)[]
---@field hours? yett.hours
---@field not_hours? yett.hours
---@field case? "exact" match the case of paths, query keys and gRPC methods, which a deny, and a `not_` field of an allow, otherwise ignores
---@field grpc? string|string[] package.Service/Method or package.Service/*
---@field not_grpc? string|string[]
---@field jwt? string|string[] providers of which the request has a verified token; "svid" is a JWT-SVID
---@field not_jwt? string|string[]
---@field claim? table<string, yett.claims> "corp.groups" -> values of the claim, or of an element of it
---@field not_claim? table<string, yett.claims>
---@field when? yett.condition
---@field reason? string for the operator
---@field ttl? string how long a result that depends on the time may be remembered: "10s"

---@class yett.allow: yett.rule
---@field principal yett.texts SPIFFE ID pattern, `authenticated` or `anyone`
---@field set_header? table<string, string|fun(r: yett.request): string> sent upstream; a function computes the value; clients may not send these headers
---@field remove_header? string|string[]

---@class yett.deny: yett.rule
---@field public_reason? string shown to the caller
---@field status? 401|403|404|429
---@field audit_only? boolean recorded as would-deny, does not change the decision

---"object" or "list" for parts of documents (bodies and data), else type(value)
---@param value any
---@return string
function kind(value) end

---@param name string
---@return fun(rules: table)
function policy(name) end
---@param name string
---@return fun(fields: yett.allow): table
function allow(name) end
---@param name string
---@return fun(fields: yett.deny): table
function deny(name) end
---A program instead of rules: returns permit(...), refuse(...) or nil.
---@overload fun(program: fun(r: yett.request): any): table
---@param name string
---@param program fun(r: yett.request): any
---@return table
function decide(name, program) end
---@param reason? string
function permit(reason) end
---@param reason? string for the operator
---@param public_reason? string for the caller
function refuse(reason, public_reason) end

---A JSON document next to the policy, read-only.
---@param file string
---@return any
function data(file) end
---@param pattern string RE2, anchored at both ends, over bytes
---@return yett.re
function re(pattern) end
---@param text string
---@return yett.cidr
function cidr(text) end

---A value of `header` and `query`: it was not sent.
absent = nil ---@type any

json = {}
---@param text string strict JSON, at most 4096 values
---@return any document read like `r.body.json`; valid in this decision only
function json.decode(text) end
base64 = {}
---@param text string with its padding
---@return string
function base64.decode(text) end
base64url = {}
---@param text string without padding
---@return string
function base64url.decode(text) end

---Whether the key exists.
---@param t table
---@param key any
---@return boolean
function has(t, key) end
---The value, or `default` if it is absent.
---@param t table
---@param key any
---@param default any
---@return any
function optional(t, key, default) end

anyone = "anyone"
authenticated = "authenticated"

-- Tests (*_test.lua)

---@class yett.check
---@field method? string
---@field path? string with its query
---@field host? string
---@field headers? table<string, string|string[]>
---@field body? string

---@class yett.test
---@field principal? string anonymous if omitted
---@field http? string a whole HTTP/1.1 request
---@field request? yett.check
---@field source? string address or address:port of the peer
---@field destination? string address or address:port where the connection arrived
---@field sni? string server name of the TLS handshake
---@field scheme? "https"|"http"
---@field protocol? "HTTP/1.1"|"HTTP/2"
---@field jwt? table<string, table<string, any>> tokens by the names of their providers, with their claims
---@field forwarder? boolean|string[] the caller is one of `trusted_forwarders`; or all of these
---@field time? integer
---@field sets? table<string, string> headers that the decision must set, and their values
---@field expect any allowed, denied, rejected, denied.by_default, allowed "rule", denied "rule"

---@param name string
---@return fun(fields: yett.test)
function test(name) end
allowed = nil ---@type any
denied = nil ---@type any
rejected = nil ---@type any
