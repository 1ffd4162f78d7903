//go:build !failpoint

package main

import "github.com/pronto-pbx/pronto/firmware/durable"

// disk is what the hot journal lies on: in the product, the machine's.
func disk(string) durable.FileSystem { return durable.Disk{} }
