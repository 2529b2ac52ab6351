package bsonraw

// Type is the type byte of a BSON element. The zero Type marks a missing value.
type Type byte

// The BSON types, by the names that the specification gives them.
const (
	TypeMissing    Type = 0x00
	TypeDouble     Type = 0x01
	TypeString     Type = 0x02
	TypeDocument   Type = 0x03
	TypeArray      Type = 0x04
	TypeBinary     Type = 0x05
	TypeUndefined  Type = 0x06
	TypeObjectID   Type = 0x07
	TypeBool       Type = 0x08
	TypeDate       Type = 0x09
	TypeNull       Type = 0x0A
	TypeRegex      Type = 0x0B
	TypeDBPointer  Type = 0x0C
	TypeJavaScript Type = 0x0D
	TypeSymbol     Type = 0x0E
	TypeCodeScope  Type = 0x0F
	TypeInt32      Type = 0x10
	TypeTimestamp  Type = 0x11
	TypeInt64      Type = 0x12
	TypeDecimal128 Type = 0x13
	TypeMaxKey     Type = 0x7F
	TypeMinKey     Type = 0xFF
)

// TypeVacant is no type of BSON. It marks the place of a field that was taken away, for as long as a document is being worked on; see
// [Doc.Places]. The byte is one that no UTF-8 has, so that a look at its bytes tells of most documents that they have no such place.
const TypeVacant Type = 0xF5

// Name returns the type's alias as $type and error messages spell it: "double", "string", "object" and so on.
func (t Type) Name() string {
	switch t {
	case TypeMissing:
		return "missing"
	case TypeDouble:
		return "double"
	case TypeString:
		return "string"
	case TypeDocument:
		return "object"
	case TypeArray:
		return "array"
	case TypeBinary:
		return "binData"
	case TypeUndefined:
		return "undefined"
	case TypeObjectID:
		return "objectId"
	case TypeBool:
		return "bool"
	case TypeDate:
		return "date"
	case TypeNull:
		return "null"
	case TypeRegex:
		return "regex"
	}
	return t.rareName()
}

func (t Type) rareName() string {
	switch t {
	case TypeDBPointer:
		return "dbPointer"
	case TypeJavaScript:
		return "javascript"
	case TypeSymbol:
		return "symbol"
	case TypeCodeScope:
		return "javascriptWithScope"
	case TypeInt32:
		return "int"
	case TypeTimestamp:
		return "timestamp"
	case TypeInt64:
		return "long"
	case TypeDecimal128:
		return "decimal"
	case TypeMaxKey:
		return "maxKey"
	case TypeMinKey:
		return "minKey"
	}
	return "unknown"
}

// IsNumber reports whether t is one of the four numeric types.
func (t Type) IsNumber() bool {
	return t == TypeInt32 || t == TypeInt64 || t == TypeDouble || t == TypeDecimal128
}

// Class returns the rank of t in MongoDB's comparison order: values of different classes compare by it alone.
// A missing value ranks with null, as it does in a sort.
func (t Type) Class() int {
	switch t {
	case TypeMinKey:
		return -1
	case TypeUndefined:
		return 1
	case TypeMissing, TypeNull:
		return 5
	case TypeInt32, TypeInt64, TypeDouble, TypeDecimal128:
		return 10
	case TypeString, TypeSymbol:
		return 15
	case TypeDocument:
		return 20
	case TypeArray:
		return 25
	case TypeBinary:
		return 30
	case TypeObjectID:
		return 35
	case TypeBool:
		return 40
	case TypeDate:
		return 45
	case TypeTimestamp:
		return 47
	case TypeRegex:
		return 50
	case TypeDBPointer:
		return 55
	case TypeJavaScript:
		return 60
	case TypeCodeScope:
		return 65
	case TypeMaxKey:
		return 127
	}
	return 126
}
