use std::path::{Path, PathBuf};

use super::*;
use crate::hub::Hub;
use crate::hub::HubSettings;
use crate::project::Project;

struct Place {
    dir: tempfile::TempDir,
    project: Project,
    builtins: Builtins,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let project = Project::open(dir.path()).unwrap();
        Place { builtins: Builtins::new(Some(&dir.path().join("cache")), dir.path()).unwrap(), project, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// A directory that looks like a model, or like an adapter on `base`.
    fn make(&self, name: &str, base: Option<&str>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(&path).unwrap();
        match base {
            Some(base) => {
                let config = serde_json::json!({ "base_model_name_or_path": base });
                std::fs::write(path.join("adapter_config.json"), config.to_string()).unwrap();
            }
            None => std::fs::write(path.join("config.json"), "{}").unwrap(),
        }
        path
    }

    fn resolve(&self, name: &str) -> Result<Resolved, Error> {
        let hub = Hub::new(HubSettings { cache: Some(self.path("hub")), ..HubSettings::default() });
        let reach = Reach::Cache;
        Resolver { project: &self.project, builtins: &self.builtins, hub: &hub, reach }.resolve(name)
    }
}

#[test]
fn built_in_names_and_directories_are_found() {
    let place = Place::new();
    let pico = place.resolve("pico").unwrap();
    assert_eq!((pico.label.as_str(), pico.base.source.as_str()), ("pico", "built-in"));

    let dir = place.make("models/mine", None);
    for name in ["models/mine", "./models/mine", dir.to_str().unwrap()] {
        let resolved = place.resolve(name).unwrap();
        assert_eq!(resolved.base.dir, dir);
        assert_eq!((resolved.label.as_str(), resolved.adapter), (name, None));
    }
}

#[test]
fn an_adapter_leads_to_its_base() {
    let place = Place::new();
    let base = place.make("base", None);
    let by_path = place.make("adapter", Some(base.to_str().unwrap()));
    let resolved = place.resolve("adapter").unwrap();
    assert_eq!((resolved.base.dir.clone(), resolved.adapter), (base.clone(), Some(by_path.clone())));

    let named = place.make(".luthier/adapters/named", Some(base.to_str().unwrap()));
    let resolved = place.resolve("named").unwrap();
    assert_eq!((resolved.label.as_str(), resolved.base.dir, resolved.adapter), ("named", base, Some(named)));

    place.make("lost", Some("/no/such/model"));
    assert!(matches!(place.resolve("lost"), Err(Error::Unknown { .. })));
    place.make("on-adapter", Some("adapter"));
    assert!(place.resolve("on-adapter").is_err(), "an adapter is no base");
}

#[test]
fn the_hubs_cache_is_read_and_nothing_is_downloaded() {
    let place = Place::new();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let snapshot = place.make(&format!("hub/models--org--tiny/snapshots/{commit}"), None);
    std::fs::create_dir_all(place.path("hub/models--org--tiny/refs")).unwrap();
    std::fs::write(place.path("hub/models--org--tiny/refs/main"), format!("{commit}\n")).unwrap();
    assert!(place.resolve("org/tiny").is_err(), "a snapshot without weights is not whole");
    for file in ["tokenizer.json", "model.safetensors"] {
        std::fs::write(snapshot.join(file), "").unwrap();
    }
    for name in ["org/tiny", "org/tiny@main", &format!("org/tiny@{commit}")] {
        let resolved = place.resolve(name).unwrap();
        assert_eq!((resolved.base.name, resolved.base.dir), (format!("org/tiny@{commit}"), snapshot.clone()));
        assert_eq!(resolved.label, name);
    }
    assert!(place.resolve("org/other").is_err());
    assert!(place.resolve("org/tiny@other").is_err());
}

#[test]
fn what_is_nowhere_is_named_with_what_there_is() {
    let place = Place::new();
    place.project.store().unwrap().put_model_name("mine", "pico").unwrap();
    assert_eq!(place.resolve("mine").unwrap().base.name, "pico");
    let Err(Error::Unknown { known, .. }) = place.resolve("mien") else { panic!("found") };
    assert_eq!(known, ["pico", "mine"]);
}

#[test]
fn a_model_is_described_without_its_weights() {
    let place = Place::new();
    let pico = place.resolve("pico").unwrap();
    let info = describe("pico", "built-in", &pico.base.dir, None).unwrap();
    assert!(info.n_parameters > 10_000 && info.n_layers > 0 && !info.loaded && !info.notes.is_empty());
    assert!(["f32", "bf16"].contains(&info.dtype.as_str()), "{}", info.dtype);
}

#[test]
fn a_hostile_weights_header_is_refused() {
    let place = Place::new();
    let dir = place.make("bad", None);
    for bytes in [&b""[..], &[0xff; 8], &[8, 0, 0, 0, 0, 0, 0, 0, b'{']] {
        std::fs::write(dir.join("model.safetensors"), bytes).unwrap();
        assert!(weights_header::summarize(&dir).is_err());
    }
}

#[test]
fn a_record_of_a_later_version_is_refused() {
    let place = Place::new();
    let dir = place.make("adapter", Some("pico"));
    assert_eq!(AdapterOrigin::read(&dir).unwrap(), None);
    for text in ["{\"format_version\": 99}", "{}", "rubbish"] {
        std::fs::write(dir.join(RECORD_FILE_NAME), text).unwrap();
        assert!(AdapterOrigin::read(Path::new(&dir)).is_err(), "{text}");
    }
}
