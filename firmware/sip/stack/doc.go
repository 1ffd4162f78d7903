// Package stack carries SIP messages: transports, the ordered dispatcher and the transactions of
// RFC 3261 section 17, under the dialog layer.
package stack
