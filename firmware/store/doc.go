// Package store names the repositories of finished call and queue records, and reaches them in the
// record keeper's process over a unix socket. It knows no database: those who want records need not
// link one.
package store
