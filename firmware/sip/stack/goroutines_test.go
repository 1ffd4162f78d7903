package stack

import "runtime"

func goroutines() int { return runtime.NumGoroutine() }
