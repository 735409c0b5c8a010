//! Code that a manifest names by an address and a digest: fetched once, kept under its digest, compared at every start.
//!
//! Files on disk: `<cache>/registry/wasm/sha256:…`, where the public Spin keeps the same.

use std::path::Path;

use spin_app_model::manifest::{Download, Located, Position, Resolved, SourceRef};
use spin_plugin_manager::{CachedError, Sha256, cached};

use crate::report::Report;
use crate::ui::Ui;

const FOLDER: &str = "registry/wasm";

/// Code could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{manifest}:{}:{}: cannot get the code from {url}", at.line, at.column)]
pub(crate) struct DownloadError {
    manifest: String,
    at: Position,
    url: String,
    source: Box<CachedError>,
}

impl From<DownloadError> for Report {
    fn from(error: DownloadError) -> Self {
        let report = Self::of(&error);
        match *error.source {
            CachedError::Mismatch { .. } => report
                .code("source::digest-mismatch")
                .help("what is there has changed, or the digest in the manifest is wrong: find out which before you change it"),
            CachedError::Write { .. } => report.code("source::cache").help("name another cache with --cache-dir DIR"),
            _ => report.code("source::download"),
        }
    }
}

/// Gets all of these downloads of a manifest and notes where each is.
pub(crate) async fn fetch(
    manifest: &Path,
    downloads: &[Located<Download>],
    cache_dir: &Path,
    ui: &Ui,
) -> Result<Resolved, DownloadError> {
    let folder = cache_dir.join(FOLDER);
    let mut resolved = Resolved::default();
    for Located { value, at } in downloads {
        let digest: Sha256 = value.digest.hex().parse().expect("both are a SHA-256 in lower case");
        let got = cached(&value.url, digest, &folder, ui).await;
        // A download that fails never says that it is finished.
        ui.clear_progress();
        let file = got.map_err(|source| DownloadError {
            manifest: manifest.display().to_string(),
            at: *at,
            url: value.url.to_string(),
            source: Box::new(source),
        })?;
        resolved.add_source(SourceRef::Download(value.clone()), file);
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_in_the_cache_needs_no_network_and_a_failure_names_its_place() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join(FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        // The digest of nothing at all.
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        std::fs::write(folder.join(digest), "").unwrap();
        let text = |digest: &str| {
            format!(
                "spin_manifest_version = 2\n[application]\nname = \"x\"\n[trigger]\n[component.a]\n\
                 source = {{ url = \"http://127.0.0.1:1/a.wasm\", digest = \"{digest}\" }}\n"
            )
        };
        let fetch = |digest: &str| {
            let manifest = spin_app_model::Manifest::parse(&text(digest), Path::new("spin.toml")).unwrap();
            let SourceRef::Download(download) = manifest.components[0].source.value.clone() else {
                panic!("it is a download")
            };
            let downloads = [Located { value: download, at: manifest.components[0].source.at }];
            drop(rustls::crypto::ring::default_provider().install_default());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let resolved = runtime.block_on(super::fetch(&manifest.path, &downloads, cache.path(), &Ui::remembering()));
            resolved.map(|resolved| {
                let options = spin_app_model::manifest::LockOptions::in_directory(Path::new("/")).unwrap();
                let app = manifest.lock(&options, &resolved).unwrap();
                app.components[0].source.content.source.clone().unwrap()
            })
        };
        let url = url::Url::from_file_path(folder.join(digest)).unwrap();
        assert_eq!(fetch(digest).unwrap(), url.as_str());
        let report = Report::from(fetch(&digest.replace('e', "0")).unwrap_err());
        assert_eq!(report.stable_code(), Some("source::download"));
        assert!(report.message().starts_with("spin.toml:6:10: cannot get the code from http://127"), "{report:?}");
    }
}
