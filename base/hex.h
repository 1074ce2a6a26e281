/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes as two hexadecimal digits, large or small, as users write MACs, options and frames.
 */
#ifndef WEFT_BASE_HEX_H
#define WEFT_BASE_HEX_H

static inline int hex_digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	return character >= 'A' && character <= 'F' ? character - 'A' + 10 : -1;
}

/** hex_byte - the byte that @text begins with (terminated). Return: 0 to 255, or -1. */
static inline int hex_byte(const char *text)
{
	int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

	return low < 0 ? -1 : high << 4 | low;
}

#endif
