//! Guests that take memory before they are called: a probe of any kind, with a core module put in that takes it when it
//! is instantiated.

use wasmparser::{Parser, Payload};

/// The most that such a guest should get: 32 MiB, in pages, and in table elements of eight bytes.
pub(crate) const LIMIT: usize = 32 << 20;

/// Functions in the text format that run at instantiation: each takes all that it can get, and traps if that was more
/// than [`LIMIT`].
pub(crate) fn taker(case: &str) -> &'static str {
    match case {
        "start-memory" => {
            "(memory $a 1)
             (func $take
                (loop $more (br_if $more (i32.ne (memory.grow $a (i32.const 16)) (i32.const -1))))
                (if (i32.gt_u (memory.size $a) (i32.const 512)) (then unreachable)))"
        }
        "two-memories" => {
            "(memory $a 1) (memory $b 1)
             (func $take
                (loop $more
                    (br_if $more (i32.ne (memory.grow $a (i32.const 16)) (i32.const -1)))
                    (br_if $more (i32.ne (memory.grow $b (i32.const 16)) (i32.const -1))))
                (if (i32.gt_u (i32.add (memory.size $a) (memory.size $b)) (i32.const 512)) (then unreachable)))"
        }
        "table" => {
            "(memory $a 1) (table $t 1 funcref)
             (func $take
                (loop $more
                    (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
                (if (i32.gt_u (table.size $t) (i32.const 4194304)) (then unreachable)))"
        }
        "initial-memory" => "(memory $a 1024) (func $take)",
        other => panic!("no such case: {other}"),
    }
}

/// `component` with a module that takes memory as `case` says.
pub(crate) fn component(component: &[u8], case: &str) -> Vec<u8> {
    let module = wat::parse_str(format!("(module {} (start $take))", taker(case))).unwrap();
    let (mut depth, mut modules) = (0_usize, 0_u32);
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => {
                modules += u32::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let mut instance = vec![1, 0];
    instance.extend(leb(modules));
    instance.push(0);
    let mut crafted = component.to_vec();
    for (id, content) in [(1, module), (2, instance)] {
        crafted.push(id);
        crafted.extend(leb(u32::try_from(content.len()).unwrap()));
        crafted.extend(content);
    }
    crafted
}

/// A command of preview 1 that takes memory as `case` says and answers `hello from a component`.
pub(crate) fn command(case: &str) -> Vec<u8> {
    let text = "content-type: text/plain\\0a\\0ahello from a component\\0a";
    let length = "content-type: text/plain\n\nhello from a component\n".len();
    let module = format!(
        "(module
            (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
            {}
            (export \"memory\" (memory $a))
            (data (memory $a) (i32.const 64) \"{text}\")
            (func (export \"_start\")
                (i32.store $a (i32.const 0) (i32.const 64))
                (i32.store $a (i32.const 4) (i32.const {length}))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
            (start $take))",
        taker(case)
    );
    wat::parse_str(module).unwrap()
}

pub(crate) fn leb(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
