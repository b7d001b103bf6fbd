//! Who gets an answer, and to what.

use serde_json::json;

use crate::http::{ask, request};
use crate::support::{Layout, Server, cases, write_as};

fn served() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, Layout::Codes("RAS"));
    let server = Server::start(folder.path(), Some("anna"));
    (folder, server)
}

#[test]
fn every_request_needs_the_token() {
    let (_folder, server) = served();
    let port = server.port();
    let host = format!("Host: 127.0.0.1:{port}");
    for path in
        ["/", "/page/style.css", "/api/session", "/api/cases/sub-01", "/?token=0000", "/nothing"]
    {
        assert_eq!(
            request(port, "GET", path, std::slice::from_ref(&host), b"").status,
            401,
            "{path}"
        );
    }
    let wrong = "0".repeat(64);
    for headers in [
        vec![host.clone(), format!("Authorization: Bearer {wrong}")],
        vec![host.clone(), format!("Cookie: deepmir-{port}={wrong}")],
    ] {
        assert_eq!(request(port, "GET", "/api/session", &headers, b"").status, 401);
    }
    // The token in the address opens the page alone, and gives the cookie for the rest.
    let token = server.token();
    let path = format!("/api/session?token={token}");
    assert_eq!(request(port, "GET", &path, std::slice::from_ref(&host), b"").status, 401);
    let page = request(port, "GET", &format!("/?token={token}"), std::slice::from_ref(&host), b"");
    assert_eq!(page.status, 200);
    let cookie = page.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=strict"), "{cookie}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(request(port, "GET", "/api/session", &[host, cookie], b"").status, 200);
}

#[test]
fn a_server_for_the_network_still_needs_the_token_and_an_address() {
    let folder = tempfile::tempdir().unwrap();
    write_as(folder.path(), 1, Layout::Codes("RAS"));
    let server = Server::start_at(folder.path(), Some("anna"), "0.0.0.0");
    let (port, token) = (server.port(), server.token());
    assert!(server.url.starts_with(&format!("http://127.0.0.1:{port}/?token=")), "{}", server.url);
    let bearer = format!("Authorization: Bearer {token}");
    let cookie = format!("Cookie: deepmir-{port}={token}");
    // Linux answers to all of 127.0.0.0/8 where a server listens on every address.
    for host in ["127.0.0.1", "127.0.0.2", "192.0.2.7"] {
        let host = format!("Host: {host}:{port}");
        let status = |path: &str, more: &[&String]| {
            let headers: Vec<String> = [&[&host][..], more].concat().into_iter().cloned().collect();
            request(port, "GET", path, &headers, b"").status
        };
        for path in
            ["/", "/page/js/app.js", "/api/session", "/api/cases/sub-01/images/SWI", "/?token=0000"]
        {
            assert_eq!(status(path, &[]), 401, "{host} {path}");
        }
        assert_eq!(status("/api/session", &[&bearer]), 200, "{host}");
        assert_eq!(status("/api/session", &[&cookie]), 200, "{host}");
        assert_eq!(
            status("/api/session", &[&cookie, &"Origin: http://evil.example".to_owned()]),
            403
        );
    }
    // Names may lead here by somebody else's DNS: only addresses count.
    for host in [format!("evil.example:{port}"), "192.0.2.7:1".to_owned()] {
        let headers = [format!("Host: {host}"), cookie.clone()];
        assert_eq!(request(port, "GET", "/api/session", &headers, b"").status, 421, "{host}");
    }
}

#[test]
fn another_host_or_origin_is_refused_though_it_has_the_cookie() {
    let (_folder, server) = served();
    let (port, token) = (server.port(), server.token());
    let cookie = format!("Cookie: deepmir-{port}={token}");
    let status = |method: &str, headers: &[String]| {
        request(port, method, "/api/session", headers, b"").status
    };
    // A name that somebody's DNS leads here, another port, nothing at all.
    for host in [
        format!("evil.example:{port}"),
        "127.0.0.1:1".to_owned(),
        String::new(),
        format!("127.0.0.2:{port}"),
    ] {
        assert_eq!(status("GET", &[format!("Host: {host}"), cookie.clone()]), 421, "{host:?}");
    }
    let host = format!("Host: 127.0.0.1:{port}");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"] {
        let headers = [host.clone(), cookie.clone(), format!("Origin: {origin}")];
        assert_eq!(status("GET", &headers), 403, "{origin}");
    }
    let cross = [host.clone(), cookie.clone(), "Sec-Fetch-Site: cross-site".to_owned()];
    assert_eq!(status("GET", &cross), 403);
    // What changes something must say where it comes from.
    let add = |headers: &[String]| {
        let kind = "Content-Type: application/json".to_owned();
        request(port, "POST", "/api/raters", &[headers, &[kind]].concat(), br#"{"id":"anna"}"#)
            .status
    };
    assert_eq!(add(&[host.clone(), cookie.clone()]), 403);
    assert_eq!(
        add(&[host.clone(), cookie.clone(), format!("Origin: http://127.0.0.1:{port}")]),
        200
    );
    let local =
        [format!("Host: localhost:{port}"), cookie, format!("Origin: http://localhost:{port}")];
    assert_eq!(add(&local), 200);
}

#[test]
fn only_the_datasets_images_and_the_pages_files_are_served() {
    let (folder, server) = served();
    std::fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    let (port, token) = (server.port(), server.token());
    for path in [
        "/page/../Cargo.toml",
        "/page/..%2f..%2fCargo.toml",
        "/page/%2e%2e/%2e%2e/secret.txt",
        "/page//etc/passwd",
        "/api/cases/..%2f..%2fsecret.txt",
        "/api/cases/sub-01/images/..%2f..%2f..%2fsecret.txt",
        "/api/cases/sub-01/images/%2fetc%2fpasswd",
        "/secret.txt",
    ] {
        let answer = ask(port, token, "GET", path, None);
        assert!([404, 422].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!String::from_utf8_lossy(&answer.body).contains("root:"));
        assert_ne!(answer.body, b"secret");
    }
    assert_eq!(ask(port, token, "GET", "/api/cases/sub-01/images/SWI", None).status, 200);
}

#[test]
#[cfg(unix)]
fn a_link_out_of_the_dataset_is_refused_and_one_inside_is_not() {
    let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_as(inside.path(), 1, Layout::Codes("RAS"));
    let swi = inside.path().join("sub-01/anat/sub-01_acq-swi_T2starw.nii.gz");
    for (place, refused) in
        [(inside.path().join("store"), false), (outside.path().to_owned(), true)]
    {
        std::fs::create_dir_all(&place).unwrap();
        let away = place.join("image.nii.gz");
        std::fs::rename(&swi, &away).unwrap();
        std::os::unix::fs::symlink(&away, &swi).unwrap();
        let roots = [inside.path().to_owned()];
        let opened =
            deepmir_annotate::Dataset::new(cases(inside.path()), inside.path().join("out"), &roots);
        assert_eq!(opened.is_err(), refused);
        if let Err(error) = opened {
            let words = error.to_string();
            assert!(
                words.contains("sub-01_acq-swi_T2starw") && words.contains("outside"),
                "{words}"
            );
        }
        std::fs::remove_file(&swi).unwrap();
        std::fs::rename(&away, &swi).unwrap();
    }
    // One that is put in its place while the server runs is not followed either.
    let secret = outside.path().join("secret.nii.gz");
    std::fs::copy(&swi, &secret).unwrap();
    let server = Server::start(inside.path(), None);
    std::fs::remove_file(&swi).unwrap();
    std::os::unix::fs::symlink(&secret, &swi).unwrap();
    let answer = ask(server.port(), server.token(), "GET", "/api/cases/sub-01/images/SWI", None);
    assert_eq!(answer.status, 500);
    assert!(String::from_utf8_lossy(&answer.body).contains("outside"));
}

#[test]
fn sizes_and_ranges_are_limited() {
    let (_folder, server) = served();
    let (port, token) = (server.port(), server.token());
    let layer = "/api/layers/sub-01/anna/own";
    assert_eq!(ask(port, token, "GET", layer, None).status, 200);
    let paint = |operation: serde_json::Value| {
        let body = json!({ "revision": 0, "operation": operation });
        ask(port, token, "POST", &format!("{layer}/operations"), Some(body))
    };
    let run = |start: u64, length: u64| json!({ "type": "paint", "runs": [[start, length]], "class": "CMB", "lesion": null });
    let voxels = 64 * 64 * 24;
    for (operation, status) in [
        (run(voxels, 1), 422),
        (run(voxels - 1, 2), 422),
        (run(0, 0), 422),
        (run(0, 4_000_000_000), 422),
        (run(u64::from(u32::MAX) + 1, 1), 422),
        (json!({ "type": "paint", "runs": [[0, 1]], "class": "TUMOUR", "lesion": null }), 422),
        (
            json!({ "type": "grow", "seed": 0, "radius_mm": 1e9, "image": "SWI", "tolerance": 0.5, "class": "CMB", "lesion": null }),
            422,
        ),
        (json!({ "type": "delete", "lesion": 7 }), 422),
        (run(voxels - 1, 1), 200),
    ] {
        let answer = paint(operation.clone());
        assert_eq!(answer.status, status, "{operation}: {}", String::from_utf8_lossy(&answer.body));
    }
    let comment = json!({ "revision": 1, "operation": { "type": "annotate", "lesion": 1, "comment": "x".repeat(2001) } });
    assert_eq!(ask(port, token, "POST", &format!("{layer}/operations"), Some(comment)).status, 422);
    let runs: Vec<[u32; 2]> = vec![[0, 1]; 700_000];
    let large = json!({ "revision": 1, "operation": { "type": "erase", "runs": runs } });
    assert_eq!(ask(port, token, "POST", &format!("{layer}/operations"), Some(large)).status, 413);
    for rater in ["", "a b", "../x", "adjudicated", "annaReview", &"x".repeat(33)] {
        let answer = ask(port, token, "POST", "/api/raters", Some(json!({ "id": rater })));
        assert_eq!(answer.status, 422, "{rater:?}");
    }
}

#[test]
fn answers_forbid_what_the_page_does_not_need() {
    let (_folder, server) = served();
    let (port, token) = (server.port(), server.token());
    for path in ["/", "/page/js/app.js", "/api/session", "/nothing"] {
        let head = ask(port, token, "GET", path, None).head;
        let policy =
            head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(policy.contains("connect-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        for needed in [
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(head.contains(needed), "{path}: {needed}");
        }
        assert!(!head.contains("access-control-allow"), "{head}");
    }
}
