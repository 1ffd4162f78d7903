// Package journal owns the append-only files that let the box pick up where it was: Hot, on tmpfs,
// holds the last state of everything alive and survives the death of the process; History, on
// disk, holds what happened and survives a power cut until the record keeper has it.
//
// Both are plain segments written with write(2). Nothing is mapped into memory, because a full
// disk under a mapping is a signal that ends the process, and under write(2) it is an error.
package journal
