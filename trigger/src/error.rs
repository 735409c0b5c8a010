//! The error that ends a trigger: a stable code and a message for people.

use std::borrow::Cow;

/// Why a trigger can't start or go on.
///
/// Made from any error with [`Error::new`] or, for the kit's own, with `?`. The code is stable, of the form
/// `area::what`; the message says what went wrong, where, and what to do next.
#[derive(Debug)]
pub struct Error {
    code: Cow<'static, str>,
    source: Box<dyn std::error::Error + Send + Sync>,
    exit_code: u8,
}

impl Error {
    /// An error with a code of the trigger's own.
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { code: code.into(), source: source.into(), exit_code: 1 }
    }

    /// The same, with which the process exits with this code instead of 1.
    #[must_use]
    pub fn with_exit_code(mut self, exit_code: u8) -> Self {
        self.exit_code = exit_code;
        self
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message with its causes, outermost first.
    pub fn message(&self) -> String {
        let mut message = self.source.to_string();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            // Many errors already end with their cause.
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        message
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} [{}]", self.message(), self.code)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

impl From<spin_component_runtime::PrepareError> for Error {
    fn from(error: spin_component_runtime::PrepareError) -> Self {
        Self::new("trigger::component", error)
    }
}

impl From<spin_component_runtime::SeedError> for Error {
    fn from(error: spin_component_runtime::SeedError) -> Self {
        Self::new("trigger::seed", error)
    }
}

impl From<spin_component_runtime::variables::VariableError> for Error {
    fn from(error: spin_component_runtime::variables::VariableError) -> Self {
        Self::new("trigger::variable", error)
    }
}

impl From<spin_component_runtime::http::NotAHandler> for Error {
    fn from(error: spin_component_runtime::http::NotAHandler) -> Self {
        Self::new("trigger::no-handler", error)
    }
}

impl From<spin_component_runtime::wasmtime::Error> for Error {
    fn from(error: spin_component_runtime::wasmtime::Error) -> Self {
        Self::new("trigger::guest", format!("{error:#}"))
    }
}

impl From<spin_component_runtime::InvokeError> for Error {
    fn from(error: spin_component_runtime::InvokeError) -> Self {
        Self::new("trigger::invoke", error)
    }
}
