use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::*;

/// A registry on loopback that serves these paths, and everything else with 404.
fn serve(pages: Vec<(String, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
            }
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let page = pages.iter().find(|(known, _)| *known == path);
            let (status, body) = page.map_or(("404 Not Found", Vec::new()), |(_, body)| ("200 OK", body.clone()));
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.into_bytes(), body].concat());
        }
    });
    address
}

fn project() -> (tempfile::TempDir, Project) {
    let directory = tempfile::tempdir().unwrap();
    let project = Project::open(directory.path()).unwrap();
    (directory, project)
}

fn fetched(source: &str) -> Result<Fetched, Error> {
    let (directory, project) = project();
    fetch(&project, source, directory.path())
}

#[test]
fn an_address_may_name_its_digest() {
    let body = b"\0asm plugin".to_vec();
    let digest = luthier_plugin_host::audit::digest(&body);
    let address = serve(vec![("/p.wasm".to_owned(), body.clone())]);
    let found = fetched(&format!("http://{address}/p.wasm")).unwrap();
    assert_eq!((found.bytes, found.source), (body, format!("http://{address}/p.wasm#{digest}")));
    assert!(fetched(&format!("http://{address}/p.wasm#{digest}")).is_ok());
    let error = fetched(&format!("http://{address}/p.wasm#sha256:00")).err().unwrap().to_string();
    assert!(error.ends_with(&format!("its digest is {digest}")), "{error}");
    let error = fetched(&format!("http://{address}/other.wasm")).err().unwrap().to_string();
    assert!(error.ends_with("the server says 404"), "{error}");
}

#[test]
fn a_registry_is_believed_by_digest_only() {
    let component = b"\0asm component".to_vec();
    let digest = luthier_plugin_host::audit::digest(&component);
    let manifest = format!(r#"{{"layers":[{{"mediaType":"application/wasm","digest":"{digest}"}}]}}"#).into_bytes();
    let forged = manifest.clone();
    let manifest_digest = luthier_plugin_host::audit::digest(&manifest);
    let address = serve(vec![
        ("/v2/team/metric/manifests/1.0".to_owned(), manifest),
        (format!("/v2/team/metric/manifests/{manifest_digest}"), forged.clone()),
        (format!("/v2/team/metric/manifests/sha256:{}", "0".repeat(64)), forged.clone()),
        (format!("/v2/team/metric/blobs/{digest}"), component.clone()),
        ("/v2/team/forged/manifests/latest".to_owned(), forged),
        (format!("/v2/team/forged/blobs/{digest}"), b"something else".to_vec()),
    ]);
    let found = fetched(&format!("oci://{address}/team/metric:1.0")).unwrap();
    assert_eq!(found.bytes, component);
    // The lock names the manifest's digest, and that address works as well.
    assert_eq!(found.source, format!("oci://{address}/team/metric@{manifest_digest}"));
    assert_eq!(fetched(&found.source).unwrap().bytes, component);
    let error = fetched(&format!("oci://{address}/team/metric@sha256:{}", "0".repeat(64))).err().unwrap().to_string();
    assert!(error.ends_with(&format!("its digest is {manifest_digest}")), "{error}");
    let error = fetched(&format!("oci://{address}/team/forged")).err().unwrap().to_string();
    assert!(error.contains("its digest is sha256:"), "{error}");
    assert!(fetched("oci://nonsense").err().unwrap().to_string().ends_with("expected oci://registry/repository:tag"));
}

#[test]
fn references_are_read_as_registries_write_them() {
    let parse = |text: &'static str| oci::Reference::parse(text).map(|r| (r.registry, r.repository, r.reference));
    assert_eq!(parse("ghcr.io/a/b:1"), Some(("ghcr.io", "a/b", "1")));
    assert_eq!(parse("localhost:5000/b"), Some(("localhost:5000", "b", "latest")));
    assert_eq!(parse("r.io/b@sha256:ab"), Some(("r.io", "b", "sha256:ab")));
    assert_eq!(parse("r.io/b c:1"), None);
    assert_eq!(parse("alone"), None);
}

/// A metric as a compiler without a component linker leaves it.
#[test]
fn a_core_module_is_made_a_component() {
    let description = r#"{"id":"core","version":"0","summary":"s","direction":"higher"}"#;
    let module = format!(
        r#"(module
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
        (func (export "describe") (result i32) i32.const 0)
        (func (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32) i32.const 512)
        (data (i32.const 0) "\10\00\00\00\{:02x}\00\00\00")
        (data (i32.const 16) "{}"))"#,
        description.len(),
        description.replace('"', "\\22")
    );
    let module = wat::parse_str(module).unwrap();
    let digest = luthier_plugin_host::audit::digest(&module);
    let address = serve(vec![("/core.wasm".to_owned(), module)]);
    let found = fetched(&format!("http://{address}/core.wasm#{digest}")).unwrap();
    assert_eq!(found.bytes.get(..8), Some(&b"\0asm\x0d\0\x01\0"[..]), "a component");
    assert!(found.source.ends_with(&digest), "the lock names what the server has");
    let plugin = luthier_plugin_host::Host::new(Default::default()).unwrap().load(&found.bytes).unwrap();
    assert_eq!(plugin.id(), "core");
}
