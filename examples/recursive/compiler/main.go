// bfc compiles Brainfuck to a static ELF program for Linux on x86-64: no assembler, no linker, no library.
//
//	bfc SOURCE PROGRAM
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
)

const (
	address    = 0x400000 // where the program lies in memory
	headers    = 64 + 56  // the ELF header and one program header
	tapeLength = 30000
)

var (
	readByte  = []byte{0x31, 0xc0, 0x31, 0xff, 0x48, 0x89, 0xde, 0xba, 1, 0, 0, 0, 0x0f, 0x05}
	writeByte = []byte{0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x48, 0x89, 0xde, 0xba, 1, 0, 0, 0, 0x0f, 0x05}
	leave     = []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05}
	isZero    = []byte{0x80, 0x3b, 0} // cmp byte [rbx], 0
	jumpSize  = len(isZero) + 6
)

func main() {
	if len(os.Args) != 3 {
		fail(errors.New("usage: bfc SOURCE PROGRAM"))
	}
	source, err := os.ReadFile(os.Args[1])
	fail(err)
	code, err := compile(source)
	fail(err)
	fail(os.WriteFile(os.Args[2], link(code), 0o755))
}

func fail(err error) {
	if err != nil {
		os.Stderr.WriteString("bfc: " + err.Error() + "\n")
		os.Exit(1)
	}
}

// compile gives the machine code; rbx points to the current cell, and the tape is behind the code.
func compile(source []byte) ([]byte, error) {
	code := append([]byte{0x48, 0xbb}, make([]byte, 8)...) // mov rbx, the tape's address, known in the end
	var open []int
	for _, char := range source {
		switch char {
		case '>':
			code = append(code, 0x48, 0xff, 0xc3) // inc rbx
		case '<':
			code = append(code, 0x48, 0xff, 0xcb) // dec rbx
		case '+':
			code = append(code, 0xfe, 0x03) // inc byte [rbx]
		case '-':
			code = append(code, 0xfe, 0x0b) // dec byte [rbx]
		case '.':
			code = append(code, writeByte...)
		case ',':
			code = append(code, readByte...)
		case '[':
			open = append(open, len(code))
			code = append(append(code, isZero...), 0x0f, 0x84, 0, 0, 0, 0) // jz, behind the loop
		case ']':
			if len(open) == 0 {
				return nil, errors.New("a ] without a [")
			}
			start := open[len(open)-1]
			open = open[:len(open)-1]
			code = append(append(code, isZero...), 0x0f, 0x85, 0, 0, 0, 0) // jnz, into the loop
			distance := uint32(len(code) - start - jumpSize)
			binary.LittleEndian.PutUint32(code[start+jumpSize-4:], distance)
			binary.LittleEndian.PutUint32(code[len(code)-4:], -distance)
		}
	}
	if len(open) > 0 {
		return nil, errors.New("a [ without a ]")
	}
	code = append(code, leave...)
	binary.LittleEndian.PutUint64(code[2:], uint64(address+headers+len(code)))
	return code, nil
}

// link puts the headers in front: one segment, which holds everything.
func link(code []byte) []byte {
	size := uint64(headers + len(code))
	var file bytes.Buffer
	file.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, value := range []any{
		uint16(2), uint16(62), uint32(1), // an executable, x86-64, version 1
		uint64(address + headers), uint64(64), uint64(0), // entry, program headers, no sections
		uint32(0), uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(7), uint64(0), // loaded; read, written and executed
		uint64(address), uint64(address), size, size + tapeLength, uint64(0x1000),
	} {
		binary.Write(&file, binary.LittleEndian, value)
	}
	file.Write(code)
	return file.Bytes()
}
