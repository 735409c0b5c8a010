;; A core module as SDKs of the first generation made them: it prints each Redis message and a line end. A message that
;; begins with `!` is answered with the error of the interface.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) "\n")

  ;; 8: what is given to fd_write · 16: how much of it was written · 32: the outcome
  (global $free (mut i32) (i32.const 1024))

  (func (export "canonical_abi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.sub (i32.add (global.get $free) (local.get $align)) (i32.const 1))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (memory.grow (i32.const 2)) (i32.const -1)) (then unreachable))))
    (local.get $at))
  (func (export "canonical_abi_free") (param i32 i32 i32))

  (func $print (param $text i32) (param $length i32)
    (loop $more
      (if (i32.eqz (local.get $length)) (then return))
      (i32.store (i32.const 8) (local.get $text))
      (i32.store (i32.const 12) (local.get $length))
      (if (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)) (then unreachable))
      (local.set $text (i32.add (local.get $text) (i32.load (i32.const 16))))
      (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 16))))
      (br $more)))

  (func (export "handle-redis-message") (param $message i32) (param $length i32) (result i32)
    (call $print (local.get $message) (local.get $length))
    (call $print (i32.const 0) (i32.const 1))
    (if (i32.and
        (i32.ne (local.get $length) (i32.const 0))
        (i32.eq (i32.load8_u (local.get $message)) (i32.const 0x21 (; ! ;))))
      (then
        (i32.store8 (i32.const 32) (i32.const 1))
        (i32.store8 (i32.const 33) (i32.const 1))))
    (i32.const 32)))
