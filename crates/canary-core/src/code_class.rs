//! The classes of status codes, as stats tell them apart.

/// The class of a response's status code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeClass {
    /// There was no response, or none with a status from 100 to 599.
    #[default]
    None,
    /// 100 to 199: a protocol switch.
    Informational,
    /// 200 to 299.
    Success,
    /// 300 to 399.
    Redirection,
    /// 400 to 499.
    ClientError,
    /// 500 to 599.
    ServerError,
}

impl CodeClass {
    /// Every class, in the order of [`CodeClass::index`].
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Informational,
        Self::Success,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
    ];

    /// The class of a `:status`.
    pub fn of(status: &[u8]) -> Self {
        match status {
            [class, tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit() => match class {
                b'1' => Self::Informational,
                b'2' => Self::Success,
                b'3' => Self::Redirection,
                b'4' => Self::ClientError,
                b'5' => Self::ServerError,
                _ => Self::None,
            },
            _ => Self::None,
        }
    }

    /// The class's place in [`CodeClass::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The label in stats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
        }
    }
}
