//! What the tests of this crate share: a world of folders, and archives made by hand.
#![allow(clippy::unwrap_used, reason = "tests")]

mod server;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use spin_catalogue::{Platform, PluginManifest, PluginName};
use tempfile::TempDir;

use crate::{
    CatalogueSource, InstallError, InstallPlan, InstallRequest, Installed, Network, PackRequest, Packed, PluginManager,
    Settings, Silent, Tie, Trust, TrustedKey, pack,
};

pub(crate) use server::{After, Server};

pub(crate) fn name(text: &str) -> PluginName {
    text.parse().unwrap()
}

pub(crate) fn linux() -> Platform {
    "linux-amd64".parse().unwrap()
}

/// A data folder and a catalogue, gone when dropped.
pub(crate) struct World {
    temp: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { temp: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.temp.path().join(below)
    }

    pub(crate) fn settings(&self) -> Settings {
        settings(self.temp.path())
    }

    pub(crate) fn manager(&self) -> PluginManager {
        PluginManager::new(self.settings())
    }

    /// Packs an executable that consists of its name, its version and `content`.
    pub(crate) fn pack(&self, plugin: &str, version: &str, compatibility: &str, protocols: &[u32]) -> Packed {
        let executable = self.path("executable");
        fs::write(&executable, format!("#!/bin/sh\necho {plugin} {version}\n")).unwrap();
        pack(&PackRequest {
            name: name(plugin),
            version: version.parse().unwrap(),
            executable: &executable,
            assets: None,
            description: "for a test",
            license: "MIT",
            homepage: None,
            spin_compatibility: compatibility,
            protocols,
            platform: linux(),
            catalogue_dir: &self.path("catalogue"),
        })
        .unwrap()
    }

    pub(crate) fn install(&self, plugin: &str) -> Result<Installed, InstallError> {
        self.carry_out(&InstallRequest::by_name(name(plugin)))
    }

    /// A manager that knows these catalogues only.
    pub(crate) fn knowing(&self, catalogues: Vec<CatalogueSource>) -> PluginManager {
        PluginManager::new(Settings { catalogues, ..self.settings() })
    }

    pub(crate) fn plan(&self, request: &InstallRequest) -> Result<InstallPlan, InstallError> {
        plan(&self.manager(), request)
    }

    pub(crate) fn carry_out(&self, request: &InstallRequest) -> Result<Installed, InstallError> {
        install(&self.manager(), request)
    }

    /// Writes a manifest file for the archive `bytes` that lies beside it.
    pub(crate) fn manifest_file(&self, plugin: &str, bytes: &[u8]) -> PathBuf {
        let archive = self.path("made-by-hand.tar.gz");
        fs::write(&archive, bytes).unwrap();
        let json = format!(
            r#"{{"name":"{plugin}","version":"1.0.0","spinCompatibility":">=2","license":"MIT","packages":[
                {{"os":"linux","arch":"amd64","url":"made-by-hand.tar.gz","sha256":"{}"}}]}}"#,
            crate::hash::of(bytes)
        );
        let path = self.path(&format!("{plugin}.json"));
        fs::write(&path, json).unwrap();
        path
    }

    /// Changes a file of the catalogue without telling the index.
    pub(crate) fn edit_manifest(&self, path: &Path, edit: impl FnOnce(&mut PluginManifest)) {
        let mut manifest = PluginManifest::parse(&fs::read(path).unwrap()).unwrap();
        edit(&mut manifest);
        fs::write(path, manifest.to_json()).unwrap();
    }

    /// Everything in the store but its locks, the copies of catalogues and what tells when something was started, as
    /// sorted relative paths.
    pub(crate) fn store(&self) -> Vec<String> {
        let root = self.path("data/plugin-store/v1");
        let mut found = Vec::new();
        walk(&root, &root, &mut found);
        found.retain(|path| !["locks", "started", "catalogue"].iter().any(|other| path.starts_with(other)));
        found.sort();
        found
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(items) = fs::read_dir(folder) else { return };
    for item in items {
        let item = item.unwrap();
        match item.file_type().unwrap().is_dir() {
            true => walk(root, &item.path(), found),
            false => found.push(item.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
        }
    }
}

/// Settings for a world in `folder`.
pub(crate) fn settings(folder: &Path) -> Settings {
    Settings {
        data_dir: folder.join("data"),
        catalogues: vec![CatalogueSource::directory("bundled", folder.join("catalogue"), Trust::default())],
        spin: semver::Version::new(4, 0, 2),
        platform: linux(),
        protocols: vec![1],
        network: Network::Online,
        credentials: Vec::new(),
        tie: Tie::default(),
    }
}

pub(crate) fn plan(manager: &PluginManager, request: &InstallRequest) -> Result<InstallPlan, InstallError> {
    runtime().block_on(manager.plan(request))
}

pub(crate) fn install(manager: &PluginManager, request: &InstallRequest) -> Result<Installed, InstallError> {
    runtime().block_on(async {
        let plan = manager.plan(request).await?;
        manager.install(&plan, &Silent).await
    })
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A tar archive written header by header.
#[derive(Clone, Default)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    /// A header for `path`; the name is put in as it is.
    pub(crate) fn header(path: &[u8], kind: u8, mode: u32, size: u64) -> tar::Header {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path);
        header.as_mut_bytes()[156] = kind;
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header.set_cksum();
        header
    }

    /// Appends a header as it is, and content.
    pub(crate) fn raw(mut self, header: &tar::Header, content: &[u8]) -> Self {
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn entry(self, path: &str, kind: u8, mode: u32, content: &[u8]) -> Self {
        self.raw(&Self::header(path.as_bytes(), kind, mode, content.len() as u64), content)
    }

    pub(crate) fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(path, b'0', 0o755, content)
    }

    /// The archive with its end mark.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    pub(crate) fn gzipped(self) -> Vec<u8> {
        gzip(&self.end())
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Somebody who signs.
pub(crate) struct Signer(minisign::KeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(minisign::KeyPair::generate_unencrypted_keypair().unwrap())
    }

    pub(crate) fn key(&self) -> TrustedKey {
        self.0.pk.to_base64().parse().unwrap()
    }

    /// The signature file of `content`, with a trusted comment.
    pub(crate) fn sign(&self, content: &[u8], comment: &str) -> String {
        minisign::sign(None, &self.0.sk, content, Some(comment), None).unwrap().into_string()
    }
}
