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

    /// The class of a status code; `None` is one outside of 100 to 599.
    pub const fn of(code: u16) -> Self {
        match code {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::None,
        }
    }

    /// The class of a `grpc-status`: what failed for want of the server is a server error, every
    /// other failure the client's. A code that nobody knows counts as UNKNOWN does, by the rule
    /// of gRPC; no code at all is no response.
    pub const fn of_grpc(status: &[u8]) -> Self {
        match status {
            [] => Self::None,
            b"0" => Self::Success,
            b"1" | b"3" | b"5" | b"6" | b"7" | b"8" | b"9" | b"10" | b"11" | b"12" | b"16" => {
                Self::ClientError
            }
            // UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS
            _ => Self::ServerError,
        }
    }

    /// The code of a `:status`; 0 where it is not three digits.
    pub fn code(status: &[u8]) -> u16 {
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
        match status {
            [hundreds, tens, ones] => {
                (|| Some(digit(*hundreds)? * 100 + digit(*tens)? * 10 + digit(*ones)?))().unwrap_or(0)
            }
            _ => 0,
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
