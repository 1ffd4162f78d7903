//go:build 386 || arm

package clock

import "golang.org/x/sys/unix"

func setOffset(t *unix.Timex, microseconds int64) { t.Offset = int32(microseconds) }
