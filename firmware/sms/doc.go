// Package sms is what a box knows of its short messages: parts that wait for the rest of their message,
// messages that wait for a line, and what became of them. It is pure: a Box is told what happens and the
// time, and says what is to be told to others. sms/postoffice owns the Box of a running program and
// keeps its State on the disk.
package sms
