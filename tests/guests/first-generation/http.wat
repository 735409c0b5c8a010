;; A core module as SDKs of the first generation made them: it handles HTTP requests. What it answers depends on the first
;; letter of the path:
;;   /variable   the value of `greeting`; if there is none, the text of the error, and 410 and its number
;;   /missing    the same with a variable that is not declared
;;   /out        what a POST of the request's body to the URL in the variable `url` is answered with; 502 and the number of
;;               the error if it fails
;;   /keep       the request's body, having been kept in the store `default` and got from there
;;   /print      `hello`, having written it to standard output
;; anything else  the request's URI, its headers in the response, and 500 if it was not initialized
(module
  (import "spin-config" "get-config" (func $get_config (param i32 i32 i32)))
  (import "wasi-outbound-http" "request" (func $request (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "key-value" "open" (func $open (param i32 i32 i32)))
  (import "key-value" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "key-value" "get" (func $get (param i32 i32 i32 i32)))
  (import "key-value" "close" (func $close (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) "greetingabsenturldefaultkeyhello\n")

  ;; 64: the response · 128: the outcome of an import · 192: what is given to fd_write
  (global $free (mut i32) (i32.const 1024))
  (global $initialized (mut i32) (i32.const 0))

  (func (export "_initialize") (global.set $initialized (i32.const 1)))
  ;; Nobody calls that of a module with handlers.
  (func (export "_start") unreachable)

  (func (export "canonical_abi_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $missing i32)
    (local.set $at (i32.and
      (i32.sub (i32.add (global.get $free) (local.get $align)) (i32.const 1))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $free (i32.add (local.get $at) (local.get $size)))
    (local.set $missing (i32.sub
      (i32.shr_u (i32.add (global.get $free) (i32.const 65535)) (i32.const 16))
      (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then unreachable))))
    (memory.copy (local.get $at) (local.get $old) (local.get $old_size))
    (local.get $at))
  (func (export "canonical_abi_free") (param i32 i32 i32))

  (func $answer (param $status i32) (param $body i32) (param $length i32) (result i32)
    (i32.store16 (i32.const 64) (local.get $status))
    (i32.store8 (i32.const 80) (i32.const 1))
    (i32.store (i32.const 84) (local.get $body))
    (i32.store (i32.const 88) (local.get $length))
    (i32.const 64))

  (func $variable (param $name i32) (param $length i32) (result i32)
    (call $get_config (local.get $name) (local.get $length) (i32.const 128))
    (if (result i32) (i32.load8_u (i32.const 128))
      (then (call $answer (i32.add (i32.const 410) (i32.load8_u (i32.const 132)))
        (i32.load (i32.const 136)) (i32.load (i32.const 140))))
      (else (call $answer (i32.const 200) (i32.load (i32.const 132)) (i32.load (i32.const 136))))))

  (func $out (param $headers i32) (param $header_count i32) (param $body i32) (param $length i32) (result i32)
    (call $get_config (i32.const 14) (i32.const 3) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then unreachable))
    (call $request
      (i32.const 1)
      (i32.load (i32.const 132)) (i32.load (i32.const 136))
      (local.get $headers) (local.get $header_count)
      (i32.const 0) (i32.const 0)
      (i32.const 1) (local.get $body) (local.get $length)
      (i32.const 128))
    (if (i32.load8_u (i32.const 128))
      (then
        (i32.store8 (i32.const 160) (i32.add (i32.load8_u (i32.const 132)) (i32.const 0x30)))
        (return (call $answer (i32.const 502) (i32.const 160) (i32.const 1)))))
    ;; The record of the outcome is the one of the answer.
    (memory.copy (i32.const 64) (i32.const 132) (i32.const 28))
    (i32.const 64))

  (func $keep (param $value i32) (param $length i32) (result i32)
    (local $store i32)
    (call $open (i32.const 17) (i32.const 7) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then unreachable))
    (local.set $store (i32.load (i32.const 132)))
    (call $set (local.get $store) (i32.const 24) (i32.const 3) (local.get $value) (local.get $length) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then unreachable))
    (call $get (local.get $store) (i32.const 24) (i32.const 3) (i32.const 128))
    (if (i32.load8_u (i32.const 128)) (then unreachable))
    (call $close (local.get $store))
    (call $answer (i32.const 200) (i32.load (i32.const 132)) (i32.load (i32.const 136))))

  (func $print (result i32)
    (i32.store (i32.const 192) (i32.const 27))
    (i32.store (i32.const 196) (i32.const 6))
    (if (call $fd_write (i32.const 1) (i32.const 192) (i32.const 1) (i32.const 200)) (then unreachable))
    (call $answer (i32.const 200) (i32.const 27) (i32.const 5)))

  (func (export "handle-http-request")
    (param $method i32) (param $uri i32) (param $uri_length i32) (param $headers i32) (param $header_count i32)
    (param $params i32) (param $param_count i32) (param $has_body i32) (param $body i32) (param $body_length i32)
    (result i32)
    (local $letter i32)
    (local.set $letter (i32.load8_u (i32.add (local.get $uri) (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 0x76 (; v ;)))
      (then (return (call $variable (i32.const 0) (i32.const 8)))))
    (if (i32.eq (local.get $letter) (i32.const 0x6d (; m ;)))
      (then (return (call $variable (i32.const 8) (i32.const 6)))))
    (if (i32.eq (local.get $letter) (i32.const 0x6f (; o ;)))
      (then (return (call $out
        (local.get $headers) (local.get $header_count) (local.get $body) (local.get $body_length)))))
    (if (i32.eq (local.get $letter) (i32.const 0x6b (; k ;)))
      (then (return (call $keep (local.get $body) (local.get $body_length)))))
    (if (i32.eq (local.get $letter) (i32.const 0x70 (; p ;)))
      (then (return (call $print))))
    (i32.store8 (i32.const 68) (i32.const 1))
    (i32.store (i32.const 72) (local.get $headers))
    (i32.store (i32.const 76) (local.get $header_count))
    (call $answer
      (select (i32.const 200) (i32.const 500) (global.get $initialized))
      (local.get $uri) (local.get $uri_length))))
