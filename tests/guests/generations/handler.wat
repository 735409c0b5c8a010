;; Answers every request with 202 and no body, by the interfaces of WASI 0.3 and its candidate.
(func (export "wasi:http/handler@VERSION#handle") (param $request i32) (result i32)
  (local $trailers i64) (local $response i32)
  (call $"wasi:http/types@VERSION#drop-request" (local.get $request))
  (local.set $trailers (call $new-trailers))
  (call $"wasi:http/types@VERSION#[static]response.new"
    (call $"wasi:http/types@VERSION#[constructor]fields")
    (i32.const 0) (i32.const 0)
    (i32.wrap_i64 (local.get $trailers))
    (i32.const 16))
  (local.set $response (i32.load (i32.const 16)))
  (if (call $"wasi:http/types@VERSION#[method]response.set-status-code" (local.get $response) (i32.const 202))
    (then unreachable))
  ;; That there are none: the zeros at 512, which the host reads once it has sent the response.
  (drop (call $write-trailers
    (i32.wrap_i64 (i64.shr_u (local.get $trailers) (i64.const 32))) (i32.const 512)))
  (i32.store8 (i32.const 64) (i32.const 0))
  (i32.store (i32.const 72) (local.get $response))
  (i32.const 64))
