# Keys for the differential test: for every key type a map from integers to literals (so that
# neighbours, runs and clusters can be made), its extremes, and values from anywhere in its domain.

package DifferentialKeys;

use strict;
use warnings;
use LearnedTest qw(random_int pick chance);

use Exporter 'import';
our @EXPORT = qw(%KEY_TYPES key_literal convert_number distribution);

my $DAY = 86_400_000_000;
my $EPOCH_JULIAN = 2_451_545;    # 2000-01-01

# 64 random bits; rand() alone gives 48.
sub random_bits64
{
	return (int(rand(2**32)) << 32) | int(rand(2**32));
}

sub random_int64
{
	return unpack('q', pack('Q', random_bits64()));
}

sub clamp
{
	my ($number, $low, $high) = @_;
	return $number < $low ? $low : $number > $high ? $high : $number;
}

sub floor_divide
{
	my ($number, $divisor) = @_;
	use integer;
	my $quotient = $number / $divisor;
	$quotient -= 1 if $number % $divisor != 0 && ($number < 0);
	return $quotient;
}

sub clock_literal
{
	my ($microseconds) = @_;
	use integer;
	my $seconds = $microseconds / 1_000_000;
	return sprintf('%02d:%02d:%02d.%06d',
		$seconds / 3600, $seconds / 60 % 60, $seconds % 60, $microseconds % 1_000_000);
}

# Julian day numbers are accepted as dates; they need no calendar here.
sub date_literal
{
	my ($day) = @_;
	return 'J' . (clamp($day, -2_451_000, 2_145_000_000) + $EPOCH_JULIAN);
}

sub timestamp_literal
{
	my ($number) = @_;
	$number = clamp($number, -2_451_000 * $DAY, 106_000_000 * $DAY);
	my $day = floor_divide($number, $DAY);
	return 'J' . ($day + $EPOCH_JULIAN) . ' ' . clock_literal($number - $day * $DAY);
}

sub float_literal
{
	my ($value, $digits) = @_;
	return 'NaN' if $value != $value;
	return 'Infinity' if $value > 1.7976931348623157e308;
	return '-Infinity' if $value < -1.7976931348623157e308;
	return sprintf("%.${digits}g", $value);
}

sub lsn_literal
{
	my ($number) = @_;
	return sprintf('%X/%X', $number >> 32, $number & 0xFFFFFFFF);
}

my @CHARACTERS = ('A' .. 'Z', 'a' .. 'z', '0' .. '9');

sub character
{
	my ($number) = @_;
	return $CHARACTERS[ abs($number) % @CHARACTERS ];
}

my @INTEGERS = ([ 'int2', -32_768, 32_767 ], [ 'int4', -2_147_483_648, 2_147_483_647 ]);
my @DATES = ("'4713-01-01 BC'", "'0001-12-31 BC'", "'0044-03-15 BC'", "'1970-01-01'",
	"'1999-12-31'", "'2000-01-01'", "'infinity'", "'-infinity'");

# Two 64-bit halves, so that neighbours may lie on both sides of a border between them.
sub uuid_literal
{
	my ($number) = @_;
	$number = clamp($number, -2**50, 2**50) + 2**51;
	return sprintf('%016x%016x', $number >> 8, ($number & 255) << 56 | $number % 3);
}

# Equal instants in different zones are different values.
sub timetz_literal
{
	my ($number) = @_;
	$number = clamp(abs($number), 0, $DAY);
	return clock_literal($number) . pick('+00', '+01', '-08', '+05:45', '-00:00:01', '+15:59:59', '-15:59');
}

# words: of a key, if not one. unit: how many of the family's finest steps one integer step of this type is. since: the server that brought it. ends: there
# is no min() and max() of the type.
our %KEY_TYPES = (
	int8 => {
		family => [qw(int2 int4 int8)],
		unit => 1,
		span => 2**40,
		literal => sub { "$_[0]" },
		wild => \&random_int64,
		extremes => [
			'-9223372036854775808', '-9223372036854775807', '9223372036854775807',
			'9223372036854775806', '-1', '0', '1', '4294967296', '-4294967297'
		],
	},
	float8 => {
		family => [qw(float4 float8)],
		unit => 1,
		span => 2**30,
		literal => sub { float_literal($_[0] / 8, 17) },
		wild => sub { float_literal(unpack('d', pack('Q', random_bits64())), 17) },
		extremes => [
			'NaN', 'Infinity', '-Infinity', '0', '-0', '5e-324',
			'-5e-324', '1.7976931348623157e308', '-1.7976931348623157e308',
			'2.2250738585072014e-308', '0.1', '16777217'
		],
		norm => 'k + 0::float8',
	},
	float4 => {
		family => [qw(float4 float8)],
		unit => 1,
		span => 2**23,
		literal => sub { float_literal($_[0] / 8, 9) },
		wild => sub {
			float_literal(unpack('f', pack('L', int(rand(2**32)))), 9);
		},
		extremes => [
			'NaN', 'Infinity', '-Infinity', '0', '-0', '1e-45', '-1e-45', '3.4028235e38',
			'-3.4028235e38', '0.1', '16777216'
		],
		norm => 'k + 0::float4',
	},
	date => {
		family => [qw(date timestamp timestamptz)],
		unit => $DAY,
		span => 2**16,
		literal => \&date_literal,
		wild => sub { date_literal(random_int(-2_000_000, 2_000_000_000)) },
		extremes => [ @DATES, "'5874897-12-31'" ],
	},
	oid => {
		family => [qw(oid)],
		unit => 1,
		span => 2**24,
		literal => sub { '' . clamp(abs($_[0]), 0, 4_294_967_295) },
		wild => sub { random_int(0, 4_294_967_295) },
		extremes => [qw(0 1 2147483647 2147483648 4294967295 4294967294)],
	},
	oid8 => {
		since => 190000,
		family => [qw(oid8)],
		unit => 1,
		span => 2**40,
		# Around the sign bit.
		literal => sub { sprintf('%u', clamp($_[0], -2**50, 2**50) + (1 << 63)) },
		wild => sub { sprintf('%u', random_bits64()) },
		extremes => [qw(0 1 4294967296 9223372036854775807 9223372036854775808 18446744073709551614 18446744073709551615)],
	},
	# Within a family of their own, with the number in the middle of the type's range.
	xid8 => {
		family => [qw(xid8)],
		unit => 1,
		span => 2**40,
		literal => sub { sprintf('%u', clamp($_[0], -2**50, 2**50) + (1 << 63)) },
		wild => sub { sprintf('%u', random_bits64()) },
		extremes => [qw(0 1 4294967296 9223372036854775807 9223372036854775808 18446744073709551614 18446744073709551615)],
	},
	pg_lsn => {
		family => [qw(pg_lsn)],
		unit => 1,
		span => 2**40,
		literal => sub { lsn_literal(clamp($_[0], -2**50, 2**50) + (1 << 63)) },
		wild => sub { lsn_literal(random_bits64()) },
		extremes => [qw(0/0 0/1 0/FFFFFFFF 1/0 7FFFFFFF/FFFFFFFF 80000000/0 FFFFFFFF/FFFFFFFE FFFFFFFF/FFFFFFFF)],
	},
	money => {
		family => [qw(money)],
		unit => 1,
		span => 2**40,
		literal => sub { my $n = clamp($_[0], -2**60, 2**60); sprintf('%s%d.%02d', $n < 0 ? '-' : '', int(abs($n) / 100), abs($n) % 100) },
		wild => sub { random_int(-2**50, 2**50) . '.' . random_int(10, 99) },
		extremes => [qw(-92233720368547758.08 -92233720368547758.07 -0.01 0 0.01 92233720368547758.06 92233720368547758.07)],
	},
	macaddr => {
		family => [qw(macaddr)],
		unit => 1,
		span => 2**36,
		literal => sub { sprintf('%012x', clamp($_[0], -2**46, 2**46) + 2**47) },
		wild => sub { sprintf('%012x', random_bits64() >> 16) },
		extremes => [qw(000000000000 000000000001 0000000000ff 000000ffffff 000001000000 7fffffffffff 800000000000 fffffffffffe ffffffffffff)],
		ends => 1,
	},
	macaddr8 => {
		family => [qw(macaddr8)],
		unit => 1,
		span => 2**40,
		literal => sub { sprintf('%016x', clamp($_[0], -2**50, 2**50) + (1 << 63)) },
		wild => sub { sprintf('%016x', random_bits64()) },
		extremes => [qw(0000000000000000 0000000000000001 00000000ffffffff 0000000100000000 7fffffffffffffff 8000000000000000 fffffffffffffffe ffffffffffffffff)],
		ends => 1,
	},
	bool => {
		family => [qw(bool)],
		unit => 1,
		span => 64,
		literal => sub { $_[0] % 2 ? 't' : 'f' },
		wild => sub { pick(qw(t f)) },
		extremes => [qw(t f)],
		ends => 1,
	},
	# (Bytes that are no characters read and print differently from version to version.)
	'"char"' => {
		family => ['"char"'],
		unit => 1,
		span => 64,
		literal => \&character,
		wild => sub { character(random_int(0, 1000)) },
		extremes => [qw(A Z a z 0 9 ~ !)],
		ends => 1,
	},
	uuid => {
		family => [qw(uuid)],
		words => 2,
		unit => 1,
		span => 2**40,
		literal => \&uuid_literal,
		wild => sub { sprintf('%016x%016x', random_bits64(), random_bits64()) },
		extremes => [
			'0' x 32, ('0' x 31) . '1', ('0' x 16) . ('f' x 16), ('0' x 15) . '1' . ('0' x 16), '7' . ('f' x 31), '8' . ('0' x 31),
			('f' x 31) . 'e', 'f' x 32
		],
		ends => 1,
	},
	timetz => {
		family => [qw(timetz)],
		words => 2,
		unit => 1,
		span => $DAY,
		literal => \&timetz_literal,
		wild => sub { timetz_literal(random_int(0, $DAY)) },
		extremes => [
			'00:00:00+15:59:59', '24:00:00-15:59:59', '00:00:00+00', '24:00:00+00', '12:00:00+00', '13:00:00+01', '11:00:00-01',
			'23:59:59.999999+00'
		],
	},
	time => {
		family => [qw(time)],
		unit => 1,
		span => $DAY,
		literal => sub { clock_literal(clamp(abs($_[0]), 0, $DAY)) },
		wild => sub { clock_literal(random_int(0, $DAY)) },
		extremes => [ '00:00:00', '24:00:00', '23:59:59.999999', '00:00:00.000001', '12:00' ],
	},
);

for my $integer (@INTEGERS)
{
	my ($name, $low, $high) = @$integer;
	$KEY_TYPES{$name} = {
		family => [qw(int2 int4 int8)],
		unit => 1,
		span => $high,
		literal => sub { '' . clamp($_[0], $low, $high) },
		wild => sub { random_int($low, $high) },
		extremes => [ $low, $low + 1, $high, $high - 1, 0, -1, 1 ],
	};
}
for my $name (qw(timestamp timestamptz))
{
	$KEY_TYPES{$name} = {
		family => [qw(date timestamp timestamptz)],
		unit => 1,
		span => 2**44,
		literal => \&timestamp_literal,
		wild => sub {
			timestamp_literal(random_int(-2_000_000, 100_000_000) * $DAY + random_int(0, $DAY - 1));
		},
		extremes => [ @DATES, "'294276-12-30 00:00:00.999999'", "'1999-12-31 23:59:59.999999'" ],
	};
}

# Extremes of the datetime types carry quotes because they hold spaces; COPY wants them bare.
sub key_literal
{
	my ($literal) = @_;
	$literal =~ s/^'|'$//g;
	return $literal;
}

# The integer of type $to that is nearest to integer $number of type $from, or one step beside it.
sub convert_number
{
	my ($number, $from, $to) = @_;
	my ($from_unit, $to_unit) = ($KEY_TYPES{$from}{unit}, $KEY_TYPES{$to}{unit});
	return $number + random_int(-1, 1) if $from_unit == $to_unit;
	return $number * $from_unit + pick(-1, 0, 0, 1, random_int(0, $from_unit)) if $to_unit == 1;
	return floor_divide($number, $to_unit) + random_int(0, 1);
}

# A generator of [number or undef, literal] pairs in one of the shapes that real columns have.
sub distribution
{
	my ($type) = @_;
	my $key = $KEY_TYPES{$type};
	my $shape = pick(qw(serial serial jitter jitter few uniform clusters wild mixed));
	my $span = $key->{span};
	my $base = chance(3) ? 0 : random_int(-int($span / 2), int($span / 2));
	my $step = pick(1, 1, 2, 7, 1000, 60_000_000);
	$step = 1 if $step * 50_000 > $span;
	my $position = 0;
	my $numbered = sub { my ($number) = @_; return [ $number, $key->{literal}->($number) ] };
	my %shapes = (
		serial => sub { $numbered->($base + $step * $position++) },
		jitter => sub {
			$position += int(-log(1 - rand()) * 3);
			$numbered->($base + $step * $position + random_int(0, $step - 1));
		},
		few => sub { $numbered->($base + random_int(0, 6)) },
		uniform => sub { $numbered->($base + random_int(0, int($span / 4))) },
		clusters => sub { $numbered->($base + random_int(0, 20) * int($span / 64) + random_int(0, 300)) },
		wild => sub { [ undef, key_literal($key->{wild}->()) ] },
	);
	return ($shape, $shapes{$shape}) if $shape ne 'mixed';
	my @parts = @shapes{qw(serial few clusters wild)};
	return ($shape,
		sub { chance(12) ? [ undef, key_literal(pick(@{ $key->{extremes} })) ] : pick(@parts)->() });
}

1;
