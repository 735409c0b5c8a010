//! From the files that a component is made of to a component that is ready, or straight from the cache to that.
//!
//! A component may be made of several files: its own, and those of its dependencies. Each may be a core module that has
//! to be converted, and all have to be composed and compiled. What comes out is kept under a key that is made of what
//! went in, so a later start does none of that work, and reads no large file that nobody has touched (`sources`).

mod job;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use spin_app_model::ComponentId;
use spin_app_model::compiled::Note;
use spin_app_model::lock::LockedApp;
use wasmtime::component::InstancePre;

use crate::adapt::{self, FileKind};
use crate::component::{Component, PrepareError, Shared};
use crate::compose::{self, Dependency};
use crate::engine::{self, Concurrency};
use crate::host::ComponentContext;
use crate::host::egress::Gate;
use crate::host::files::{MountOptions, Mounts};
use crate::host::http::{ComponentHttp, HttpNetwork};
use crate::instance::HostState;
use crate::platform::{self, Platform, Platforms};
use crate::sources::{Facts, Source};
use crate::variables::Variables;
use job::{Files, is_text};

pub(crate) use job::{Job, RECIPE};

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

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::aot::hex;

    /// The number in [`RECIPE`], and the digest of what it makes of the files below.
    const MADE: &str = "4 e959685ccade0bcbf8b5262ff2b7acc29184272ecc9c520e19358d9d9dd21865";

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
