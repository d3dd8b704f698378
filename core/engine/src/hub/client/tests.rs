use super::*;

#[test]
fn redirects_lead_to_servers_only_and_never_out_of_tls() {
    let from = "https://hub.example/a/b?c=d";
    assert_eq!(resolve(from, "/x/y?z").as_deref(), Some("https://hub.example/x/y?z"));
    assert_eq!(resolve(from, "https://cdn.example/f").as_deref(), Some("https://cdn.example/f"));
    for bad in ["http://cdn.example/f", "file:///etc/passwd", "ftp://x/y", "//cdn/f", "x y", ""] {
        assert_eq!(resolve(from, bad), None, "{bad:?}");
    }
    assert!(resolve("http://127.0.0.1:1/a", "http://127.0.0.1:2/f").is_some());
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let token = Token::new("hf_secret");
    let settings = HubSettings { endpoint: "https://hub.example".into(), token, ..HubSettings::default() };
    let hub = Hub::new(settings);
    let is_sent =
        |url: &str| hub.prepare(&Call::get(url.into())).headers.iter().any(|(name, _)| name == "authorization");
    assert!(is_sent("https://hub.example/api/models/a/b"));
    for other in
        ["https://cdn.example/x", "https://hub.example.evil.org/x", "http://hub.example/x", "https://hub.examples/x"]
    {
        assert!(!is_sent(other), "{other}");
    }
    assert!(!format!("{hub:?}").contains("secret"));
}

#[test]
fn servers_do_not_write_our_messages() {
    let token = Token::new("hf_secret").unwrap();
    assert_eq!(clean("bad token hf_secret\n\u{1b}[31m", Some(&token)), "bad token …  [31m");
    assert_eq!(clean(&"x".repeat(10_000), None).len(), 300);
    assert_eq!(path_of("https://cdn.example/a/b?X-Amz-Signature=secret"), "/a/b");
}
