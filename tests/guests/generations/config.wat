;; Answers by `wasi:config`: below `/` with the value of the name that the rest of the path is, or 404 if there is none; at `/`
;; with a line for each.
(data (i32.const 600) "=\n")
(func $write (param $stream i32) (param $bytes i32) (param $length i32)
  (call $"wasi:io/streams@VERSION#[method]output-stream.blocking-write-and-flush"
    (local.get $stream) (local.get $bytes) (local.get $length) (i32.const 32))
  (if (i32.load8_u (i32.const 32)) (then unreachable)))

(func (export "wasi:http/incoming-handler@VERSION#handle") (param $request i32) (param $out i32)
  (local $response i32) (local $body i32) (local $stream i32) (local $at i32) (local $left i32)
  (call $"wasi:http/types@VERSION#[method]incoming-request.path-with-query" (local.get $request) (i32.const 0))
  (local.set $response (call $"wasi:http/types@VERSION#[constructor]outgoing-response"
    (call $"wasi:http/types@VERSION#[constructor]fields")))
  (call $"wasi:config/store@0.2.0-draft-2024-09-27#get"
    (i32.add (i32.load (i32.const 4)) (i32.const 1)) (i32.sub (i32.load (i32.const 8)) (i32.const 1)) (i32.const 100))
  (if (i32.load8_u (i32.const 100)) (then unreachable))
  (if (i32.eqz (i32.or (i32.load8_u (i32.const 104)) (i32.eq (i32.load (i32.const 8)) (i32.const 1))))
    (then (drop (call $"wasi:http/types@VERSION#[method]outgoing-response.set-status-code"
      (local.get $response) (i32.const 404)))))
  (call $"wasi:http/types@VERSION#[method]outgoing-response.body" (local.get $response) (i32.const 16))
  (local.set $body (i32.load (i32.const 20)))
  (call $"wasi:http/types@VERSION#[static]response-outparam.set" (local.get $out) (i32.const 0) (local.get $response)
    (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
  (call $"wasi:http/types@VERSION#[method]outgoing-body.write" (local.get $body) (i32.const 24))
  (local.set $stream (i32.load (i32.const 28)))
  (if (i32.load8_u (i32.const 104))
    (then (call $write (local.get $stream) (i32.load (i32.const 108)) (i32.load (i32.const 112)))))
  (if (i32.eq (i32.load (i32.const 8)) (i32.const 1))
    (then
      (call $"wasi:config/store@0.2.0-draft-2024-09-27#get-all" (i32.const 120))
      (if (i32.load8_u (i32.const 120)) (then unreachable))
      (local.set $at (i32.load (i32.const 124)))
      (local.set $left (i32.load (i32.const 128)))
      (loop $next
        (if (local.get $left)
          (then
            (call $write (local.get $stream) (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)))
            (call $write (local.get $stream) (i32.const 600) (i32.const 1))
            (call $write (local.get $stream) (i32.load offset=8 (local.get $at)) (i32.load offset=12 (local.get $at)))
            (call $write (local.get $stream) (i32.const 601) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next))))))
  (call $"wasi:io/streams@VERSION#drop-output-stream" (local.get $stream))
  (call $"wasi:http/types@VERSION#[static]outgoing-body.finish"
    (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64)))
