// Plays tests/abi/session.txt through the Rust binding. The binding is a module beside it.
mod abi;
use abi::*;
use std::fs;

struct Recorded {
    lines: Vec<Vec<u64>>, // number, arguments, status, values
    at: usize,
}

impl Transport for Recorded {
    fn call(&mut self, number: u64, args: [u64; 4]) -> (u64, [u64; 3]) {
        let l = &self.lines[self.at];
        self.at += 1;
        assert_eq!((number, args), (l[0], [l[1], l[2], l[3], l[4]]), "line {}", self.at);
        (l[5], [l[6], l[7], l[8]])
    }
}

fn load(path: &str) -> Vec<Vec<u64>> {
    let text = fs::read_to_string(path).unwrap();
    let hex = |w: &str| u64::from_str_radix(w, 16).unwrap();
    text.lines().map(|l| l.split_whitespace().filter(|w| *w != "=").map(hex).collect()).collect()
}

fn main() {
    let mut t = Recorded { lines: load(&std::env::args().nth(1).unwrap()), at: 0 };
    let t = &mut t;
    assert_eq!(abi_version(t).unwrap()[0], VERSION_1_0);
    assert_eq!(abi_query(t, QUERY_CALL, CALL_EVENT_SEND - CALL_BASE).unwrap(), [1, 0x10000, 0]);
    assert_eq!(abi_query(t, QUERY_FEATURE, FEATURE_CONTROL).unwrap()[0], 0);
    assert_eq!(abi_query(t, QUERY_LIMIT, LIMIT_PORTS).unwrap()[0], MAX_PORTS);
    assert_eq!(abi_query(t, 9, 0), Err(STATUS_BAD_ARG));
    let h = buf_register(t, 0x100000, 4096, 0).unwrap()[0];
    assert_eq!(buf_register(t, 0x100800, 4096, 0), Err(STATUS_EXISTS));
    assert_eq!(buf_query(t, h).unwrap(), [0x100000, 4096, 0]);
    assert_eq!(event_open(t, SOURCE_SELF, 0, 0, 64), Err(STATUS_BAD_STATE));
    event_setup(t, h, 0).unwrap();
    let port = event_open(t, SOURCE_SELF, 0, 0, 64).unwrap()[0];
    event_send(t, port).unwrap();
    assert_eq!(event_mask(t, port, 1).unwrap()[0], 0);
    assert_eq!(event_mask(t, port, 0).unwrap()[0], 1);
    assert_eq!(event_send(t, 300), Err(STATUS_BAD_ARG));
    assert_eq!(buf_unregister(t, h), Err(STATUS_BUSY));
    event_close(t, port).unwrap();
    event_setup(t, 0, 0).unwrap();
    buf_unregister(t, h).unwrap();
    assert_eq!(buf_query(t, h), Err(STATUS_NOT_FOUND));
    assert_eq!(t.at, t.lines.len());
}
