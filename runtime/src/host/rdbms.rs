//! What the interfaces of relational databases share whose generations differ in the names of types, and in which there are.

/// A value with the case of the same name on the other side: cases that hold something, cases that don't, and what becomes of
/// all others.
macro_rules! same_case {
    ($value:expr, $from:path, [$($case:ident)*], [$($plain:ident)*] $(, $other:ident)?) => {{
        use $from as From;
        match $value {
            $(From::$case(value) => Self::$case(value),)*
            $(From::$plain => Self::$plain,)*
            $(_ => Self::$other,)?
        }
    }};
}
pub(crate) use same_case;
