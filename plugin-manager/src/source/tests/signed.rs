//! Catalogues that must be signed: whatever is wrong, nothing is installed and nothing is left.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::testing::{Server, Signer, World, install, name, plan};
use crate::{InstallRequest, Trust};

/// A folder with one plugin, and whoever signs it.
struct Signed {
    world: World,
    signer: Signer,
    archive: PathBuf,
}

impl Signed {
    fn new() -> Self {
        let world = World::new();
        let archive = world.pack("trigger-demo", "1.0.0", ">=2", &[1]).archive;
        let signed = Self { world, signer: Signer::new(), archive };
        signed.sign();
        signed
    }

    fn sign(&self) {
        for path in [self.archive.clone(), self.world.path("catalogue/index.json")] {
            fs::write(signature(&path), self.signer.sign(&fs::read(&path).unwrap(), "timestamp:1")).unwrap();
        }
    }

    fn manager(&self) -> PluginManager {
        self.manager_with(Trust { keys: vec![self.signer.key()], require_signature: true })
    }

    fn manager_with(&self, trust: Trust) -> PluginManager {
        let source = CatalogueSource::directory("signed", self.world.path("catalogue"), trust);
        self.world.knowing(vec![source])
    }

    /// The code of the error that an installation ends with.
    fn refused(&self) -> &'static str {
        let error = install(&self.manager(), &demo()).unwrap_err();
        assert!(self.world.store().is_empty(), "{:?}", self.world.store());
        error.code()
    }
}

fn signature(path: &std::path::Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".minisig");
    name.into()
}

fn demo() -> InstallRequest {
    InstallRequest::by_name(name("trigger-demo"))
}

#[test]
fn what_is_signed_is_installed_and_the_record_names_the_key() {
    let signed = Signed::new();
    let manager = signed.manager();
    let key = signed.signer.key().id();
    assert_eq!(manager.catalogues()[0].knowledge.as_ref().unwrap().signed_by, Some(key));
    assert_eq!(plan(&manager, &demo()).unwrap().signed_by, Some(key));
    let installed = install(&manager, &demo()).unwrap();
    assert_eq!(installed.signed_by, Some(key));
    assert_eq!(manager.installed().unwrap()[0].signed_by, Some(key));
    // It stands: what is installed needs no second look at signatures.
    fs::remove_file(signature(&signed.archive)).unwrap();
    assert!(install(&manager, &demo()).is_ok());
}

#[test]
fn an_archive_without_a_good_signature_is_refused() {
    let signed = Signed::new();
    let beside = signature(&signed.archive);
    let archive = fs::read(&signed.archive).unwrap();
    let index = fs::read(signature(&signed.world.path("catalogue/index.json"))).unwrap();
    let expired = signed.signer.sign(&archive, "expires:1000000000");
    let cases: [(&str, Option<Vec<u8>>); 6] = [
        ("signature::missing", None),
        ("signature::malformed", Some(Vec::new())),
        ("signature::malformed", Some(b"\xff\xfe not text".to_vec())),
        ("signature::wrong", Some(index)),
        ("signature::unknown-key", Some(Signer::new().sign(&archive, "").into())),
        ("signature::expired", Some(expired.into())),
    ];
    for (code, content) in cases {
        match content {
            Some(content) => fs::write(&beside, content).unwrap(),
            None => fs::remove_file(&beside).unwrap(),
        }
        assert_eq!(signed.refused(), code);
    }
    fs::remove_file(&beside).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &beside).unwrap();
    assert_eq!(signed.refused(), "plugin::package-missing");
}

#[test]
fn an_index_without_a_good_signature_is_refused() {
    let signed = Signed::new();
    let index = signed.world.path("catalogue/index.json");
    let (json, good) = (fs::read_to_string(&index).unwrap(), fs::read(signature(&index)).unwrap());
    fs::write(&index, json.replace("\"yanked\": false", "\"yanked\": false ")).unwrap();
    assert_eq!(signed.refused(), "signature::wrong");
    fs::write(&index, &json).unwrap();
    fs::write(signature(&index), Signer::new().sign(json.as_bytes(), "")).unwrap();
    assert_eq!(signed.refused(), "signature::unknown-key");
    fs::write(signature(&index), signed.signer.sign(json.as_bytes(), "expires:1000000000")).unwrap();
    assert_eq!(signed.refused(), "signature::expired");
    fs::write(signature(&index), "").unwrap();
    assert_eq!(signed.refused(), "signature::malformed");
    fs::remove_file(signature(&index)).unwrap();
    assert_eq!(signed.refused(), "signature::missing");
    // Without the index there is nothing that could be signed.
    fs::remove_file(&index).unwrap();
    assert_eq!(signed.refused(), "signature::missing");
    // A row without a digest leaves its manifest to anybody.
    let bare: String = json.lines().filter(|line| !line.contains("\"sha256\"")).collect::<Vec<_>>().join("\n");
    let bare = bare.replace("@1.0.0.json\",", "@1.0.0.json\"");
    fs::write(&index, &bare).unwrap();
    fs::write(signature(&index), signed.signer.sign(bare.as_bytes(), "")).unwrap();
    assert_eq!(signed.refused(), "signature::not-covered");
    fs::write(&index, &json).unwrap();
    fs::write(signature(&index), good).unwrap();
    assert!(install(&signed.manager(), &demo()).is_ok());
}

#[test]
fn without_the_requirement_an_unsigned_archive_is_taken_and_a_wrong_signature_is_not() {
    let signed = Signed::new();
    let lenient = Trust { keys: vec![signed.signer.key()], require_signature: false };
    fs::write(signature(&signed.archive), Signer::new().sign(b"", "")).unwrap();
    let error = install(&signed.manager_with(lenient.clone()), &demo()).unwrap_err();
    assert_eq!(error.code(), "signature::unknown-key");
    fs::remove_file(signature(&signed.archive)).unwrap();
    let installed = install(&signed.manager_with(lenient), &demo()).unwrap();
    assert_eq!(installed.signed_by, None);
}

#[test]
fn an_index_from_the_web_counts_only_with_its_signature_and_gets_new_ones() {
    let signed = Signed::new();
    let server = Server::start();
    let trust = Trust { keys: vec![signed.signer.key()], require_signature: true };
    let source = CatalogueSource::web("demo".parse().unwrap(), server.url("/").parse().unwrap(), trust).unwrap();
    let manager = signed.world.knowing(vec![source]);
    let json = fs::read(signed.world.path("catalogue/index.json")).unwrap();
    server.put("/index.json", json.clone());
    assert_eq!(refresh_one(&manager), Err("signature::missing".to_owned()));
    assert_eq!(plan(&manager, &demo()).unwrap_err().code(), "catalogue::never-fetched");
    server.put("/index.json.minisig", signed.signer.sign(&json, "expires:2000000000"));
    assert_eq!(refresh_one(&manager), Ok(News::Updated));
    assert_eq!(refresh_one(&manager), Ok(News::Unchanged));
    server.put("/index.json.minisig", signed.signer.sign(&json, "expires:2000000001"));
    assert_eq!(refresh_one(&manager), Ok(News::Updated), "the same index, signed for longer");
    server.put("/index.json.minisig", Signer::new().sign(&json, ""));
    assert_eq!(refresh_one(&manager), Err("signature::unknown-key".to_owned()));
    assert!(manager.catalogues()[0].knowledge.is_ok(), "the old copy stays");
}
