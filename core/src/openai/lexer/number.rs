//! JSON's number grammar (RFC 8259 section 6), one byte at a time.

/// A number being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    state: State,
    /// The value while it is a plain non-negative integer that fits.
    value: Option<u64>,
}

/// What the bytes so far are; the names follow the grammar's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Minus,
    Zero,
    Int,
    Point,
    Frac,
    E,
    ESign,
    Exp,
}

/// What one more byte did to a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to the number.
    Taken,
    /// The number was complete before it; the byte is someone else's. The value is there when the
    /// number was written as a non-negative integer within 64 bits.
    Complete(Option<u64>),
    /// Neither: the number is malformed.
    Malformed,
}

impl Number {
    /// Starts a number at its first byte; `None` when no number starts so.
    pub(super) fn start(byte: u8) -> Option<Self> {
        let (state, value) = match byte {
            b'-' => (State::Minus, None),
            b'0' => (State::Zero, Some(0)),
            b'1'..=b'9' => (State::Int, Some(u64::from(byte - b'0'))),
            _ => return None,
        };
        Some(Self { state, value })
    }

    /// Reads one more byte.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        self.state = match (self.state, byte) {
            (State::Minus, b'0') => State::Zero,
            (State::Minus, b'1'..=b'9') => State::Int,
            (State::Int, b'0'..=b'9') => {
                self.value = self.value.and_then(|value| value.checked_mul(10)?.checked_add(u64::from(byte - b'0')));
                State::Int
            }
            (State::Zero | State::Int, b'.') => State::Point,
            (State::Point | State::Frac, b'0'..=b'9') => State::Frac,
            (State::Zero | State::Int | State::Frac, b'e' | b'E') => State::E,
            (State::E, b'+' | b'-') => State::ESign,
            (State::E | State::ESign | State::Exp, b'0'..=b'9') => State::Exp,
            (State::Zero | State::Int, _) => return Step::Complete(self.value),
            (State::Frac | State::Exp, _) => return Step::Complete(None),
            (State::Minus | State::Point | State::E | State::ESign, _) => return Step::Malformed,
        };
        Step::Taken
    }
}
