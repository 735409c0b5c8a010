;; Answers every request with what it has put into a store and what a database computes, by the interfaces of SDKs that made
;; components of WASI 0.2.
(data (i32.const 600) "default")
(data (i32.const 608) "akept")
(data (i32.const 616) "SELECT 40 + 2")
(func (export "wasi:http/incoming-handler@VERSION#handle") (param $request i32) (param $out i32)
  (local $response i32) (local $body i32) (local $stream i32) (local $store i32) (local $database i32)
  (call $"fermyon:spin/key-value@2.0.0#[static]store.open" (i32.const 600) (i32.const 7) (i32.const 0))
  (if (i32.load8_u (i32.const 0)) (then unreachable))
  (local.set $store (i32.load (i32.const 4)))
  (call $"fermyon:spin/key-value@2.0.0#[method]store.set" (local.get $store)
    (i32.const 608) (i32.const 1) (i32.const 609) (i32.const 4) (i32.const 0))
  (if (i32.load8_u (i32.const 0)) (then unreachable))
  ;; What is got back is at 104, its length at 108.
  (call $"fermyon:spin/key-value@2.0.0#[method]store.get" (local.get $store) (i32.const 608) (i32.const 1) (i32.const 96))
  (if (i32.or (i32.load8_u (i32.const 96)) (i32.eqz (i32.load8_u (i32.const 100)))) (then unreachable))
  (call $"fermyon:spin/sqlite@2.0.0#[static]connection.open" (i32.const 600) (i32.const 7) (i32.const 0))
  (if (i32.load8_u (i32.const 0)) (then unreachable))
  (local.set $database (i32.load (i32.const 4)))
  (call $"fermyon:spin/sqlite@2.0.0#[method]connection.execute" (local.get $database)
    (i32.const 616) (i32.const 13) (i32.const 0) (i32.const 0) (i32.const 128))
  ;; One row of one value, an integer.
  (if (i32.or (i32.load8_u (i32.const 128)) (i32.ne (i32.load (i32.const 144)) (i32.const 1))) (then unreachable))
  (if (i64.ne (i64.load offset=8 (i32.load (i32.load (i32.const 140)))) (i64.const 42)) (then unreachable))
  (local.set $response (call $"wasi:http/types@VERSION#[constructor]outgoing-response"
    (call $"wasi:http/types@VERSION#[constructor]fields")))
  (call $"wasi:http/types@VERSION#[method]outgoing-response.body" (local.get $response) (i32.const 16))
  (local.set $body (i32.load (i32.const 20)))
  (call $"wasi:http/types@VERSION#[static]response-outparam.set" (local.get $out) (i32.const 0) (local.get $response)
    (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
  (call $"wasi:http/types@VERSION#[method]outgoing-body.write" (local.get $body) (i32.const 24))
  (local.set $stream (i32.load (i32.const 28)))
  (call $"wasi:io/streams@VERSION#[method]output-stream.blocking-write-and-flush"
    (local.get $stream) (i32.load (i32.const 104)) (i32.load (i32.const 108)) (i32.const 32))
  (if (i32.load8_u (i32.const 32)) (then unreachable))
  (call $"wasi:io/streams@VERSION#drop-output-stream" (local.get $stream))
  (call $"wasi:http/types@VERSION#[static]outgoing-body.finish"
    (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))
  (if (i32.load8_u (i32.const 64)) (then unreachable)))
