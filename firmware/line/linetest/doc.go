// Package linetest is the contract that every driver of a telephone line passes, written against
// line.Line and a far end that the driver's simulator provides.
//
// It judges sound by its own arithmetic and shares none with the drivers.
package linetest
