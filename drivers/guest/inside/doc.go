// Package inside holds the tests that run as process 1 of the guest. Package guest builds and starts them.
package inside
