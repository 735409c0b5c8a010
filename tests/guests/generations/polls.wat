;; Computes for five milliseconds, polls a time that is past, for which the host yields, and so on for ever.
(func (export "wasi:http/incoming-handler@VERSION#handle") (param i32 i32) (local $until i64) (local $past i32)
  (loop $again
    (local.set $until (i64.add (call $"wasi:clocks/monotonic-clock@VERSION#now") (i64.const 5000000)))
    (loop $more
      (br_if $more (i64.lt_u (call $"wasi:clocks/monotonic-clock@VERSION#now") (local.get $until))))
    (local.set $past (call $"wasi:clocks/monotonic-clock@VERSION#subscribe-duration" (i64.const 0)))
    (call $"wasi:io/poll@VERSION#[method]pollable.block" (local.get $past))
    (call $"wasi:io/poll@VERSION#drop-pollable" (local.get $past))
    (br $again)))
