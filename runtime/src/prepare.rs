//! From the files that a component is made of to a component that is ready, or straight from the cache to that.
//!
//! A component may be made of several files: its own, and those of its dependencies. Each may be a core module that has
//! to be converted, and all have to be composed and compiled. What comes out is kept under a key that is made of what
//! went in, so a later start does none of that work, and reads no large file that nobody has touched (`sources`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use spin_app_model::ComponentId;
use spin_app_model::compiled::Note;
use spin_app_model::lock::{LockedApp, LockedComponent, LockedDependency, LockedSource};
use wasmtime::component::InstancePre;

use crate::adapt::{self, FileKind};
use crate::aot::hex;
use crate::component::{Component, PrepareError, Shared};
use crate::compose::{self, ComposeError, Dependency};
use crate::engine::{self, Concurrency};
use crate::host::ComponentContext;
use crate::host::egress::Gate;
use crate::host::files::{MountOptions, Mounts};
use crate::host::http::{ComponentHttp, HttpNetwork};
use crate::instance::HostState;
use crate::platform::{self, Platform, Platforms};
use crate::sources::{Facts, Source};
use crate::variables::Variables;

/// The part of the cache's key that stands for what is done to the files here and in [`crate::adapt`] and
/// [`crate::compose`]: a change there that makes other components out of the same files has to change this. What
/// [`compose::rules`] says is a part of the key by itself.
pub(crate) const RECIPE: &str = concat!("spin ", env!("CARGO_PKG_VERSION"), " recipe 4");

/// One component to make ready.
pub(crate) struct Job<'a> {
    pub(crate) component: &'a LockedComponent,
    /// The size of all its files together, in bytes.
    size: u64,
    path: PathBuf,
    dependencies: Vec<Part<'a>>,
}

/// One dependency of a component.
struct Part<'a> {
    name: &'a str,
    locked: &'a LockedDependency,
    path: PathBuf,
}

impl<'a> Job<'a> {
    /// What is to be done for the components `ids` of an app, the largest first: so none of the processors is left with a
    /// long one at the end.
    ///
    /// # Errors
    /// The first component that the app doesn't have, or whose files are not there.
    pub(crate) fn of(app: &'a LockedApp, ids: &[ComponentId]) -> Result<Vec<Self>, PrepareError> {
        let unknown = |id: &ComponentId| PrepareError::Unknown { id: id.clone() };
        let jobs = ids.iter().map(|id| Self::new(app.component(id).ok_or_else(|| unknown(id))?));
        let mut jobs = jobs.collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by_key(|job| std::cmp::Reverse(job.size));
        Ok(jobs)
    }

    /// # Errors
    /// When a file is not there.
    fn new(component: &'a LockedComponent) -> Result<Self, PrepareError> {
        let id = || component.id.clone();
        let path = file(&component.source).map_err(|found| PrepareError::Source { id: id(), found })?;
        let dependencies = component.dependencies.iter().map(|(name, locked)| {
            let path = file(&locked.source).map_err(|found| PrepareError::Compose {
                id: id(),
                source: ComposeError::Source { dependency: name.clone(), found },
            })?;
            Ok(Part { name, locked, path })
        });
        let dependencies = dependencies.collect::<Result<Vec<_>, PrepareError>>()?;
        let mut size = 0;
        for path in std::iter::once(&path).chain(dependencies.iter().map(|part| &part.path)) {
            let found = std::fs::metadata(path);
            size += found.map_err(|source| PrepareError::Read { id: id(), path: path.clone(), source })?.len();
        }
        Ok(Self { component, size, path, dependencies })
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> PrepareError {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let what = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason is known");
        let dependencies = self.dependencies.iter().map(|part| part.name.to_owned()).collect();
        PrepareError::Panicked { id: self.component.id.clone(), dependencies, what: what.to_owned() }
    }

    /// Where its files are.
    fn paths(&self) -> Files<'_, &Path> {
        let parts = self.dependencies.iter().map(|part| (part, part.path.as_path()));
        Files { own: &self.path, parts: parts.collect() }
    }

    /// Names all that decides which component comes out.
    fn key(&self, files: &Files<'_, Facts>) -> String {
        // What has no dependencies is not composed.
        let rules = if files.parts.is_empty() { String::new() } else { compose::rules() };
        key(&rules, &self.path, files)
    }

    fn unreadable(&self, path: &Path, source: std::io::Error) -> PrepareError {
        PrepareError::Read { id: self.component.id.clone(), path: path.to_owned(), source }
    }
}

/// What there is for each file of a component.
struct Files<'a, T> {
    own: T,
    parts: Vec<(&'a Part<'a>, T)>,
}

impl<'a, T> Files<'a, T> {
    fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.own).chain(self.parts.iter().map(|(_, part)| part))
    }

    fn map<U>(&self, each: impl Fn(&T) -> U) -> Files<'a, U> {
        Files { own: each(&self.own), parts: self.parts.iter().map(|(part, file)| (*part, each(file))).collect() }
    }

    fn try_map<U>(self, each: impl Fn(T) -> Result<U, PrepareError>) -> Result<Files<'a, U>, PrepareError> {
        let own = each(self.own)?;
        let parts = self.parts.into_iter().map(|(part, file)| Ok((part, each(file)?)));
        Ok(Files { own, parts: parts.collect::<Result<_, PrepareError>>()? })
    }
}

/// The file that a source stands for, or what it is instead.
fn file(source: &LockedSource) -> Result<PathBuf, String> {
    let source = source.content.source.as_deref();
    source
        .and_then(|source| url::Url::parse(source).ok())
        .and_then(|url| url.to_file_path().ok())
        .ok_or_else(|| source.unwrap_or("(none)").to_owned())
}

/// How much was done to make components ready.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Large files that nobody has touched since an earlier start read them.
    unread: AtomicUsize,
    /// Core modules and texts that were made components.
    converted: AtomicUsize,
    /// Components that were composed with their dependencies.
    composed: AtomicUsize,
    /// Components that were compiled.
    compiled: AtomicUsize,
    /// Components whose compiled code was in the cache.
    from_cache: AtomicUsize,
}

impl Work {
    /// One line in the debug log. That a second start costs nothing can be seen there.
    pub(crate) fn log(&self) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        tracing::debug!(
            unread = count(&self.unread),
            converted = count(&self.converted),
            composed = count(&self.composed),
            compiled = count(&self.compiled),
            from_cache = count(&self.from_cache),
            "components are ready"
        );
    }
}

impl Work {
    /// How many components were compiled, and how many were in the cache.
    pub(crate) fn compiled_and_cached(&self) -> (usize, usize) {
        (self.compiled.load(Ordering::Relaxed), self.from_cache.load(Ordering::Relaxed))
    }
}

fn add_one(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Compiles the components of an app, or gets them from the cache.
pub(crate) struct Compiler<'a> {
    pub(crate) app: &'a LockedApp,
    pub(crate) platforms: Platforms<'a>,
    pub(crate) unkept: Unkept,
    pub(crate) work: Work,
}

/// What it means that compiled code can't be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unkept {
    /// The next start takes longer, and that is all.
    Tolerated,
    /// The code was compiled in vain.
    Error,
}

impl Compiler<'_> {
    /// Works off the jobs in their order with a thread for each processor. Gives what came of each, by its component.
    ///
    /// # Errors
    /// The first that failed, in the order of `ids`.
    pub(crate) fn run<T: Send>(
        &self,
        jobs: &[Job<'_>],
        ids: &[ComponentId],
        work: &(dyn Fn(&Job<'_>) -> Result<T, PrepareError> + Sync),
        on_progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Vec<(ComponentId, T)>, PrepareError> {
        let results = in_parallel(jobs, work, on_progress);
        self.work.log();
        let (mut made, mut failed) = (Vec::new(), Vec::new());
        for (job, result) in jobs.iter().zip(results) {
            match result {
                Ok(done) => made.push((job.component.id.clone(), done)),
                Err(error) => failed.push((ids.iter().position(|id| *id == job.component.id), error)),
            }
        }
        match failed.into_iter().min_by_key(|(position, _)| *position) {
            Some((_, error)) => Err(error),
            None => Ok(made),
        }
    }

    /// The component's code, with everything in its place that it imports.
    pub(crate) fn linked(&self, job: &Job<'_>) -> Result<InstancePre<HostState>, PrepareError> {
        let cache = self.platforms.cache();
        let look = |path| Source::look(path, cache).map_err(|error| job.unreadable(path, error));
        let files = job.paths().try_map(look)?;
        let facts = files.map(|file| file.facts);
        let key = job.key(&facts);
        if let Some(pre) = self.kept(&key, &facts) {
            self.work.unread.fetch_add(files.all().filter(|file| file.is_unread()).count(), Ordering::Relaxed);
            return Ok(pre);
        }
        let read = |file: Source<'_>| {
            let path = file.path;
            file.read(cache).map_err(|error| job.unreadable(path, error))
        };
        let files = files.try_map(read)?;
        let facts = files.map(|(_, facts)| *facts);
        let (looked_for, key) = (key, job.key(&facts));
        // Another one if somebody has changed a file meanwhile.
        if key != looked_for
            && let Some(pre) = self.kept(&key, &facts)
        {
            return Ok(pre);
        }
        let bytes = self.composed(job, files.try_map(|(bytes, _)| Ok(bytes))?)?;
        let mut made = Err(PrepareError::Unknown { id: job.component.id.clone() });
        for candidate in platform::candidates(facts.all().copied()) {
            made = self.compiled(job, &key, &bytes, *candidate);
            // What can't be kept could be compiled.
            if matches!(made, Ok(_) | Err(PrepareError::Keep { .. })) {
                break;
            }
        }
        made
    }

    /// The code that was kept under a key.
    fn kept(&self, key: &str, files: &Files<'_, Facts>) -> Option<InstancePre<HostState>> {
        let candidates = platform::candidates(files.all().copied()).iter().filter(|_| self.platforms.may_keep(key));
        let pre = candidates.filter_map(|candidate| self.platforms.of(*candidate).ok()).find_map(|platform| {
            let component = platform.load(key)?;
            platform.link(&component).ok()
        })?;
        add_one(&self.work.from_cache);
        Some(pre)
    }

    fn compiled(
        &self,
        job: &Job<'_>,
        key: &str,
        bytes: &[u8],
        on: Concurrency,
    ) -> Result<InstancePre<HostState>, PrepareError> {
        let id = || job.component.id.clone();
        let platform = self.platforms.of(on).map_err(PrepareError::Engine)?;
        let component = wasmtime::component::Component::from_binary(&platform.engine, bytes)
            .map_err(|source| PrepareError::Compile { id: id(), path: job.path.clone(), source })?;
        let pre = platform.link(&component).map_err(|source| PrepareError::Link { id: id(), source })?;
        add_one(&self.work.compiled);
        self.keep(platform, key, &component, job)?;
        Ok(pre)
    }

    fn keep(
        &self,
        platform: &Platform,
        key: &str,
        component: &wasmtime::component::Component,
        job: &Job<'_>,
    ) -> Result<(), PrepareError> {
        let Some(cache) = &platform.cache else { return Ok(()) };
        let id = &job.component.id;
        let note = Note::new(engine::NAME, self.app.name(), id.as_str());
        match (cache.keep(key, component, &note), self.unkept) {
            (Err(source), Unkept::Error) => {
                Err(PrepareError::Keep { id: id.clone(), folder: cache.folder().to_owned(), source })
            }
            (Err(error), Unkept::Tolerated) => {
                tracing::debug!("compiled code can't be kept in {}: {error:#}", cache.folder().display());
                Ok(())
            }
            (Ok(()), _) => Ok(()),
        }
    }

    /// One component of all files.
    fn composed(&self, job: &Job<'_>, files: Files<'_, Vec<u8>>) -> Result<Vec<u8>, PrepareError> {
        let own = self.component(job, &job.path, files.own)?;
        if files.parts.is_empty() {
            return Ok(adapt::pre_release::rename(own));
        }
        let mut dependencies = Vec::new();
        for (part, bytes) in files.parts {
            let bytes = self.component(job, &part.path, bytes)?;
            let (export, inherit) = (part.locked.export.as_deref(), &part.locked.inherit);
            dependencies.push(Dependency { name: part.name, bytes, export, inherit });
        }
        let composed = compose::compose(own, dependencies)
            .map_err(|source| PrepareError::Compose { id: job.component.id.clone(), source })?;
        add_one(&self.work.composed);
        Ok(adapt::pre_release::rename(composed))
    }

    /// The component that a file is.
    fn component(&self, job: &Job<'_>, path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, PrepareError> {
        let id = || job.component.id.clone();
        let is_text = is_text(path);
        let bytes = adapt::binary(bytes, path).map_err(|source| PrepareError::Text { id: id(), source })?;
        let too_deep = |source| PrepareError::TooDeep { id: id(), path: path.to_owned(), source };
        adapt::nesting::check(&bytes).map_err(too_deep)?;
        match adapt::kind(&bytes) {
            FileKind::Component => {
                if is_text {
                    add_one(&self.work.converted);
                }
                Ok(bytes)
            }
            FileKind::Module => {
                add_one(&self.work.converted);
                let failed = |source| PrepareError::Adapt { id: id(), path: path.to_owned(), source };
                adapt::component(&bytes).map_err(failed)
            }
            FileKind::Other(what) => Err(PrepareError::Kind { id: id(), path: path.to_owned(), what }),
        }
    }
}

/// Does `work` for every job, with a thread for each processor.
fn in_parallel<T: Send>(
    jobs: &[Job<'_>],
    work: &(dyn Fn(&Job<'_>) -> Result<T, PrepareError> + Sync),
    on_progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<Result<T, PrepareError>> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<T, PrepareError>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((job, slot)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(index).zip(results.get(index))
                } {
                    // Everything that reads code is made for what it expects. What a panic leaves behind is of this job.
                    let result =
                        catch_unwind(AssertUnwindSafe(|| work(job))).unwrap_or_else(|panic| Err(job.panicked(&*panic)));
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                    on_progress(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
                }
            });
        }
    });
    results
        .into_iter()
        .map(|slot| {
            let result = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
            result.expect("every job was taken by a worker, and the scope has joined them all")
        })
        .collect()
}

/// Makes the components of an app ready for events.
pub(crate) struct Preparer<'a> {
    pub(crate) compiler: Compiler<'a>,
    pub(crate) shared: Shared,
    pub(crate) variables: &'a Variables,
    pub(crate) mounts: &'a MountOptions,
    pub(crate) http: &'a Arc<HttpNetwork>,
}

impl Preparer<'_> {
    pub(crate) fn prepare(&self, job: &Job<'_>) -> Result<Component, PrepareError> {
        let locked = job.component;
        let values = self.variables.of_component(locked)?;
        let mounts = Mounts::new(locked, self.mounts)?;
        let gate = Arc::new(Gate::new(self.compiler.app, locked, self.variables));
        let http =
            ComponentHttp { component: locked.id.clone(), gate: Arc::clone(&gate), network: Arc::clone(self.http) };
        let pre = self.compiler.linked(job)?;
        let of = ComponentContext { locked, variables: &values, gate: &gate };
        Ok(Component::new(&of, mounts, http, pre, &self.shared))
    }
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wat")
}

/// Names all that decides which component comes out, of a file at `path` with its dependencies. Every piece is of a known
/// length or has its length before it, so that no two different inputs read the same.
fn key(rules: &str, path: &Path, files: &Files<'_, Facts>) -> String {
    fn text(sum: &mut Sha256, text: &str) {
        sum.update((text.len() as u64).to_le_bytes());
        sum.update(text);
    }
    fn code(sum: &mut Sha256, path: &Path, facts: &Facts) {
        sum.update([u8::from(is_text(path))]);
        sum.update(facts.digest);
    }
    let mut sum = Sha256::new();
    text(&mut sum, RECIPE);
    code(&mut sum, path, &files.own);
    if !files.parts.is_empty() {
        text(&mut sum, rules);
    }
    for (part, facts) in &files.parts {
        text(&mut sum, part.name);
        // An absent export and one without a name are not the same.
        text(&mut sum, &format!("{:?}", part.locked.export));
        text(&mut sum, &format!("{:?}", part.locked.inherit));
        code(&mut sum, &part.path, facts);
    }
    hex(&sum.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number in [`RECIPE`], and the digest of what it makes of the files below.
    const MADE: &str = "4 e959685ccade0bcbf8b5262ff2b7acc29184272ecc9c520e19358d9d9dd21865";

    #[test]
    fn other_rules_compose_other_components() {
        let app = r#"{ "spin_lock_version": 1, "triggers": [], "components": [{ "id": "c", "source": { "content_type": "application/wasm" },
            "dependencies": { "a:b": { "source": { "content_type": "application/wasm" } } } }] }"#;
        let app = LockedApp::from_json(app.as_bytes()).expect("a lock");
        let (name, locked) = app.components[0].dependencies.iter().next().expect("one");
        let part = Part { name, locked, path: "b.wasm".into() };
        let [own, file] = [b"a", b"b"].map(|bytes| Facts::of(bytes));
        let of = |rules: &str| key(rules, Path::new("a.wasm"), &Files { own, parts: vec![(&part, file)] });
        assert_ne!(of("a"), of("b"));
        assert_eq!(of("a"), of("a"));
        let alone = |rules: &str| key(rules, Path::new("a.wasm"), &Files { own, parts: Vec::new() });
        assert_eq!(alone("a"), alone("b"), "what has no dependencies is not composed");
    }

    #[test]
    fn other_components_out_of_the_same_files_are_another_recipe() {
        let mut sum = Sha256::new();
        let files = [
            include_str!("../../tests/guests/first-generation/http.wat"),
            include_str!("../../tests/guests/first-generation/redis.wat"),
            r#"(module (memory (export "memory") 1) (func (export "_start")))"#,
        ];
        for text in files {
            let module = adapt::binary(text.into(), Path::new("file.wat")).expect("a module");
            sum.update(adapt::component(&module).expect("a component"));
        }
        for version in ["0.2.0-rc-2023-10-18", "0.2.0-rc-2023-11-10", "0.3.0-rc-2026-03-15"] {
            let names = ["wasi:io/streams", "wasi:http/types", "wasi:http/outgoing-handler", "wasi:filesystem/types"];
            let imports: String =
                names.iter().map(|name| format!("(import \"{name}@{version}\" (instance))")).collect();
            sum.update(adapt::pre_release::rename(wat::parse_str(format!("(component {imports})")).expect("one")));
        }
        sum.update(compose::tests::sample());
        let number = RECIPE.rsplit(' ').next().expect("a word");
        let made = format!("{number} {}", hex(&sum.finalize()));
        assert_eq!(made, MADE, "if what is made of files has changed, the number in RECIPE has to be a higher one");
    }
}
