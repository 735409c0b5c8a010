//! The wasmtime engines of a trigger process: every setting with its reason, and the clock that
//! lets running guests be interrupted.
//!
//! Knows nothing of components, events or the host interfaces.

use std::sync::{Arc, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmparser::WasmFeatures;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often running guests look up whether their time is over.
///
/// One tick is also the unit in which CPU time is metered, and the longest that a guest which never
/// waits keeps its thread from other guests.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);

/// The engine with its version, for people.
pub const NAME: &str = "wasmtime 48.0.8";

/// How many component instances live at once unless set otherwise.
pub const DEFAULT_MAX_INSTANCES: u32 = 1000;

/// What the engine takes of WebAssembly's proposals: its defaults, as it is built here. For those who read components before
/// the engine does.
pub(crate) const FEATURES: WasmFeatures =
    WasmFeatures::WASM3.union(WasmFeatures::COMPONENT_MODEL).union(WasmFeatures::CM_ASYNC);

/// What can be chosen about an engine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Keep the memory of instances in a pool that is reserved at start.
    ///
    /// Default: on. Cost: address space (not memory) for every instance of [`Self::max_instances`].
    /// Falls back to allocation on demand where the address space can't be had.
    pub pooling: bool,
    /// How many component instances live at once. Default: [`DEFAULT_MAX_INSTANCES`].
    pub max_instances: u32,
    /// Native debug information in compiled code, for gdb and lldb; turns optimisation off.
    pub debug_info: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { pooling: true, max_instances: DEFAULT_MAX_INSTANCES, debug_info: false }
    }
}

/// Whether an engine keeps the books on the tasks of the component model: asynchronous functions, streams and futures.
///
/// They are needed for what imports or exports such functions, and cost everything else a third of the time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concurrency {
    /// For components of the 0.2 generation and before.
    Without,
    /// For all components.
    With,
}

/// The engines of a process, each made when the first component needs it, and the thread that drives their epochs, which
/// ends with them.
pub struct RunningEngine {
    engines: Arc<Engines>,
    // Held for its drop: closing the channel ends the thread.
    stop_ticker: Option<mpsc::Sender<()>>,
    ticker: Option<JoinHandle<()>>,
}

struct Engines {
    options: EngineOptions,
    without: OnceLock<wasmtime::Result<Engine>>,
    with: OnceLock<wasmtime::Result<Engine>>,
}

impl RunningEngine {
    /// Starts the clock; engines are made when they are asked for.
    ///
    /// # Errors
    /// When there can be no thread for the clock.
    pub fn new(options: &EngineOptions) -> Result<Self, wasmtime::Error> {
        let engines = Engines { options: options.clone(), without: OnceLock::new(), with: OnceLock::new() };
        let engines = Arc::new(engines);
        let (stop_ticker, stopped) = mpsc::channel::<()>();
        let ticking = Arc::clone(&engines);
        let ticker = std::thread::Builder::new()
            .name("epochs".to_owned())
            .spawn(move || {
                // The channel never carries a message: its time-out is the clock, its closing the end.
                while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(EPOCH_TICK) {
                    for engine in [&ticking.without, &ticking.with] {
                        if let Some(Ok(engine)) = engine.get() {
                            engine.increment_epoch();
                        }
                    }
                }
            })
            .map_err(|error| wasmtime::format_err!("the epoch thread can't be started: {error}"))?;
        Ok(Self { engines, stop_ticker: Some(stop_ticker), ticker: Some(ticker) })
    }

    /// The engine of this kind.
    ///
    /// # Errors
    /// When wasmtime refuses the settings on this machine.
    pub(crate) fn engine(&self, concurrency: Concurrency) -> Result<&Engine, wasmtime::Error> {
        let place = match concurrency {
            Concurrency::Without => &self.engines.without,
            Concurrency::With => &self.engines.with,
        };
        let engine = place.get_or_init(|| make(&self.engines.options, concurrency));
        engine.as_ref().map_err(|error| wasmtime::format_err!("{error:#}"))
    }
}

fn make(options: &EngineOptions, concurrency: Concurrency) -> Result<Engine, wasmtime::Error> {
    if options.pooling {
        match Engine::new(&config(options, concurrency, Some(pool(options.max_instances)))) {
            Ok(engine) => return Ok(engine),
            Err(error) => {
                tracing::warn!("the instance pool can't be reserved, allocating on demand instead: {error:#}");
            }
        }
    }
    Engine::new(&config(options, concurrency, None))
}

impl Drop for RunningEngine {
    fn drop(&mut self) {
        drop(self.stop_ticker.take());
        if let Some(ticker) = self.ticker.take() {
            // The thread runs no code that panics; there is nobody to tell if it did.
            let _ = ticker.join();
        }
    }
}

fn config(options: &EngineOptions, concurrency: Concurrency, pool: Option<PoolingAllocationConfig>) -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.concurrency_support(concurrency == Concurrency::With);
    // The only way to take the processor from a guest that loops. Costs a load and a compare at
    // every loop head and function entry.
    config.epoch_interruption(true);
    // Linear memories start as copy-on-write maps of the module's image: instantiation copies nothing.
    config.memory_init_cow(true);
    // Compiling is most of a cold start.
    config.parallel_compilation(true);
    if options.debug_info {
        config.debug_info(true);
        config.cranelift_opt_level(wasmtime::OptLevel::None);
    }
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// The pool's sizes: those that apps of the ecosystem were built and tested under
/// (a thousand instances, four gigabytes of linear memory each at most).
fn pool(max_instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(max_instances)
        .total_core_instances(max_instances.saturating_mul(4))
        .total_memories(max_instances)
        .total_tables(max_instances.saturating_mul(2))
        .total_stacks(max_instances)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_core_instances_per_component(200)
        .max_memories_per_component(32)
        .max_tables_per_component(64)
        .max_memories_per_module(2)
        .max_tables_per_module(2)
        .table_elements(100_000)
        .max_memory_size(4 << 30)
        // Small guests are reset by clearing these bytes instead of giving pages back to the
        // kernel, which costs a system call and page faults at every event.
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(512 << 10)
        // Where the kernel (6.7 and later) says which pages a guest has written, only those are cleared, and only those
        // stay with a place that is free: else a burst of events would leave megabytes behind for each.
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_has_the_version_that_is_built_in() {
        let lock = include_str!("../../Cargo.lock");
        let (name, version) = NAME.split_once(' ').expect("a name and a version");
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")), "{NAME}");
    }

    #[test]
    fn an_engine_ends_with_its_ticker() {
        let running = RunningEngine::new(&EngineOptions { max_instances: 4, ..Default::default() }).expect("a clock");
        let weak = running.engine(Concurrency::With).expect("an engine").weak();
        drop(running);
        assert!(weak.upgrade().is_none(), "nothing keeps the engine alive");
    }

    #[test]
    fn what_is_read_before_is_what_the_engine_takes() {
        let running = RunningEngine::new(&EngineOptions { pooling: false, ..Default::default() }).expect("a clock");
        let engine = running.engine(Concurrency::With).expect("an engine");
        for (text, is_taken) in [
            ("(type (func async))", true),
            ("(type (stream u8)) (type (future))", true),
            ("(type (list u8 4))", false),
            ("(type (map string u8))", false),
            ("(type error-context)", false),
            ("(core module (memory i64 1) (memory 1))", true),
            ("(core module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))", true),
            ("(core module (memory 1 (pagesize 1)))", false),
            ("(core module (type (struct (field i32))) (tag))", true),
            ("(core module (func (param v128)) (func $f (return_call $f)))", true),
            ("(core module (type (cont 1)) (type (func)))", false),
        ] {
            let component = wat::parse_str(format!("(component {text})")).expect("a component");
            let read = wasmparser::Validator::new_with_features(FEATURES).validate_all(&component).map(|_| ());
            let taken = wasmtime::component::Component::from_binary(engine, &component);
            assert_eq!((read.is_ok(), taken.is_ok()), (is_taken, is_taken), "{text}: {read:?}");
        }
    }

    #[test]
    fn without_a_pool_there_is_an_engine_too() {
        let running = RunningEngine::new(&EngineOptions { pooling: false, ..Default::default() }).expect("a clock");
        for concurrency in [Concurrency::Without, Concurrency::With] {
            running.engine(concurrency).expect("an engine");
        }
    }
}
