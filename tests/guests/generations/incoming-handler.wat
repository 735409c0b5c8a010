;; Answers every request with 200 and the path that was asked for, by the interfaces of WASI 0.2 and of November 2023.
(func (export "wasi:http/incoming-handler@VERSION#handle") (param $request i32) (param $out i32)
  (local $response i32) (local $body i32) (local $stream i32)
  (call $"wasi:http/types@VERSION#[method]incoming-request.path-with-query" (local.get $request) (i32.const 0))
  (call $"wasi:http/types@VERSION#drop-incoming-request" (local.get $request))
  (local.set $response (call $"wasi:http/types@VERSION#[constructor]outgoing-response"
    (call $"wasi:http/types@VERSION#[constructor]fields")))
  (call $"wasi:http/types@VERSION#[method]outgoing-response.body" (local.get $response) (i32.const 16))
  (local.set $body (i32.load (i32.const 20)))
  (call $"wasi:http/types@VERSION#[static]response-outparam.set" (local.get $out) (i32.const 0) (local.get $response)
    (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
  (call $"wasi:http/types@VERSION#[method]outgoing-body.write" (local.get $body) (i32.const 24))
  (local.set $stream (i32.load (i32.const 28)))
  (call $"wasi:io/streams@VERSION#[method]output-stream.blocking-write-and-flush"
    (local.get $stream) (i32.load (i32.const 4)) (i32.load (i32.const 8)) (i32.const 32))
  (if (i32.load8_u (i32.const 32)) (then unreachable))
  (call $"wasi:io/streams@VERSION#drop-output-stream" (local.get $stream))
  (call $"wasi:http/types@VERSION#[static]outgoing-body.finish"
    (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))
  (if (i32.load8_u (i32.const 64)) (then unreachable)))
