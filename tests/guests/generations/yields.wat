;; Computes for five milliseconds, yields by itself, and so on for ever.
(func $compute (result i32) (local $until i64)
  (local.set $until (i64.add (call $"wasi:clocks/monotonic-clock@VERSION#now") (i64.const 5000000)))
  (loop $more
    (br_if $more (i64.lt_u (call $"wasi:clocks/monotonic-clock@VERSION#now") (local.get $until))))
  ;; YIELD: the callback is to be called as soon as others had the chance to run.
  (i32.const 1))
(func (export "[async-lift]wasi:http/handler@VERSION#handle") (param i32) (result i32) (call $compute))
(func (export "[callback][async-lift]wasi:http/handler@VERSION#handle") (param i32 i32 i32) (result i32)
  (call $compute))
