# Varnish in front of `feedwright serve`: it keeps the last good copy of everything for the time that Feedwright
# allows, and changes no byte, tag or encoding. Start it with `-p http_gzip_support=off`: Varnish would else ask
# the origin for gzip alone and make the other forms itself, without their tags.
vcl 4.1;

import std;

# Two origins that read the same folder: while one restarts, the other answers.
backend one {
    .host = "127.0.0.1";
    .port = "8000";
    .connect_timeout = 2s;
    .first_byte_timeout = 35s;
}
backend two {
    .host = "127.0.0.1";
    .port = "8001";
    .connect_timeout = 2s;
    .first_byte_timeout = 35s;
}

sub vcl_recv {
    # After 5 s a newer copy is waited for, and an older one shown only if no origin answers well.
    if (req.restarts == 0) {
        set req.grace = 0s;
        unset req.http.X-Any-Copy;
    } else {
        set req.grace = 7d;
        set req.http.X-Any-Copy = "yes";
    }

    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    if (req.url ~ "/(health|ready)(\?|$)") {
        return (pass);
    }

    # Feedwright ignores query strings, Host and cookies, and has ranges of media alone.
    set req.url = regsub(req.url, "\?.*", "");
    unset req.http.Cookie;
    if (req.url !~ "/media/") {
        unset req.http.Range;
    }

    # What a client accepts, in the words of the origin, so that there are four copies at most. Weights go unchanged.
    if (req.http.Accept-Encoding !~ "[;*]") {
        if (req.http.Accept-Encoding ~ "(?i)\bgzip\b" && req.http.Accept-Encoding ~ "(?i)\bbr\b") {
            set req.http.Accept-Encoding = "gzip, br";
        } elsif (req.http.Accept-Encoding ~ "(?i)\bgzip\b") {
            set req.http.Accept-Encoding = "gzip";
        } elsif (req.http.Accept-Encoding ~ "(?i)\bbr\b") {
            set req.http.Accept-Encoding = "br";
        } else {
            unset req.http.Accept-Encoding;
        }
    }
    return (hash);
}

sub vcl_hash {
    hash_data(req.url);
    return (lookup);
}

sub vcl_backend_fetch {
    if (bereq.retries == 0) {
        set bereq.backend = one;
    } else {
        set bereq.backend = two;
    }
}

sub vcl_backend_response {
    if (beresp.status >= 500) {
        if (bereq.retries == 0) {
            return (retry);
        }
        if (bereq.is_bgfetch || !bereq.http.X-Any-Copy) {
            return (abandon);
        }
    }

    # Cache-Control is for readers and goes to them unchanged. This cache is beside the origin, so it looks again
    # after 5 s. Copies stay for as long as the answer allows while the origin is down, media for a week.
    if (beresp.status < 500 && beresp.status != 400 && beresp.status != 405) {
        set beresp.ttl = 5s;
        set beresp.grace = std.duration(
            regsub(beresp.http.Cache-Control, "^.*stale-if-error=([0-9]+).*$", "\1") + "s", 7d);
    } else {
        set beresp.uncacheable = true;
        set beresp.ttl = 0s;
        set beresp.grace = 0s;
    }
    return (deliver);
}

sub vcl_backend_error {
    if (bereq.retries == 0) {
        return (retry);
    }
    return (abandon);
}

# No origin answered well: once more, with any copy that is there, or else what an origin says.
sub vcl_synth {
    if (resp.status == 503 && req.restarts == 0) {
        return (restart);
    }
}

sub vcl_deliver {
    if (req.url !~ "/media/") {
        unset resp.http.Accept-Ranges;
    }
    unset resp.http.Via;
    unset resp.http.X-Varnish;

    # As the origin has it: any tag made of the hash of these bytes matches, in a list, weak, or with a proxy's suffix.
    if (resp.http.ETag && (req.http.If-None-Match ~ "^ *\* *$"
        || std.strstr(req.http.If-None-Match, regsub(resp.http.ETag, {"^"([0-9a-f]+).*$"}, "\1")))) {
        set req.http.If-None-Match = resp.http.ETag;
    }
}
