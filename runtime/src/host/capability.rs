//! What a capability is, and the registry of all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use spin_app_model::lock::LockedComponent;
use wasmtime::component::Linker;

use super::egress::{Egress, Gate};
use crate::instance::HostState;

/// Something that guests can import, in all the interfaces that SDKs have used for it.
pub(crate) trait Capability {
    /// What the operator chooses.
    type Options;
    /// What all components share, in every generation of the app.
    type App;
    /// What all instances of one component share.
    type Component;
    /// What one instance has for itself. Made with every instance, used or not, so it must cost next to nothing.
    type Instance: Default;

    /// Opens nothing yet. `egress` makes connections to what components name.
    fn app(options: &Self::Options, egress: &Arc<Egress>) -> Self::App;

    /// What one component may use of it.
    fn component(app: &Arc<Self::App>, of: &ComponentContext<'_>) -> Self::Component;

    /// Adds the interfaces that have no asynchronous function.
    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()>;

    /// Adds those that have one, which only an engine with concurrency takes.
    fn link_concurrent(_linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// The component that something is made for.
pub(crate) struct ComponentContext<'a> {
    pub(crate) locked: &'a LockedComponent,
    /// The values of its variables.
    pub(crate) variables: &'a BTreeMap<String, String>,
    /// Where it may connect to.
    pub(crate) gate: &'a Arc<Gate>,
}

/// Registers capabilities, each under the name that its state goes by: first those that the operator chooses something
/// about, then the others.
macro_rules! capabilities {
    (
        $($(#[$doc:meta])* $optional:ident: $with_options:ty, $options:ty;)*
        ---
        $($plain:ident: $without_options:ty;)*
    ) => {
        /// What the operator chooses about what components can import.
        #[derive(Clone, Debug, Default)]
        pub struct HostOptions {
            $($(#[$doc])* pub $optional: $options,)*
        }

        /// What all components share, in every generation of the app.
        #[derive(Clone)]
        pub(crate) struct AppHost {
            /// Makes connections of raw sockets.
            pub(crate) sockets: Arc<Egress>,
            $(pub(crate) $optional: Arc<<$with_options as Capability>::App>,)*
            $($plain: Arc<<$without_options as Capability>::App>,)*
        }

        impl AppHost {
            pub(crate) fn new(options: &HostOptions, egress: &Arc<Egress>, sockets: Arc<Egress>) -> Self {
                Self {
                    sockets,
                    $($optional: Arc::new(<$with_options as Capability>::app(&options.$optional, egress)),)*
                    $($plain: Arc::new(<$without_options as Capability>::app(&(), egress)),)*
                }
            }
        }

        /// What all instances of one component share.
        pub(crate) struct ComponentHost {
            $(pub(crate) $optional: <$with_options as Capability>::Component,)*
            $(pub(crate) $plain: <$without_options as Capability>::Component,)*
        }

        impl ComponentHost {
            pub(crate) fn new(app: &AppHost, of: &ComponentContext<'_>) -> Self {
                Self {
                    $($optional: <$with_options as Capability>::component(&app.$optional, of),)*
                    $($plain: <$without_options as Capability>::component(&app.$plain, of),)*
                }
            }
        }

        /// What one instance has for itself.
        #[derive(Default)]
        #[allow(dead_code, reason = "most capabilities have nothing here")]
        pub(crate) struct InstanceHost {
            $(pub(crate) $optional: <$with_options as Capability>::Instance,)*
            $(pub(crate) $plain: <$without_options as Capability>::Instance,)*
        }

        fn link_capabilities(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
            $(<$with_options as Capability>::link(linker)?;)*
            $(<$without_options as Capability>::link(linker)?;)*
            Ok(())
        }

        fn link_concurrent_capabilities(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
            $(<$with_options as Capability>::link_concurrent(linker)?;)*
            $(<$without_options as Capability>::link_concurrent(linker)?;)*
            Ok(())
        }
    };
}
pub(crate) use capabilities;
