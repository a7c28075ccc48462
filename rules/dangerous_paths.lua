-- What no caller should reach, whatever else is allowed: a deny wins over every allow.
policy "dangerous paths" {
  deny "dot files are closed" {
    -- /.git/config, /a/.env; what is meant for the public lives below /.well-known (RFC 8615)
    path = re "(/.*)?/\\.[^/]*(/.*)?",
    not_path = "/.well-known/**",
    status = 404,
  },

  deny "debug endpoints are closed" {
    path = { "/debug/**", "/actuator/**", "/server-status", "/server-info", "/phpinfo.php", "/console/**" },
    public_reason = "debug endpoints are closed",
  },

  deny "backups are closed" {
    path = re ".*\\.(bak|old|orig|swp|sql|dump)|.*~",
    status = 404,
  },

  -- TRACE answers with what it got, credentials included (RFC 9110 9.3.8)
  deny "tracing methods are closed" { method = { "TRACE", "TRACK", "CONNECT" } },
}
