(import "wasi:http/types@VERSION" "[future-new-1][static]response.new" (func $new-trailers (result i64)))
(import "wasi:http/types@VERSION" "[async-lower][future-write-1][static]response.new"
  (func $write-trailers (param i32 i32) (result i32)))
