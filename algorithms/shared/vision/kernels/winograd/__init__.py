"""Convolutions of 3 x 3 with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3) (Lavin and Gray 2016).

A tile of 4 x 4 places of the output is a function of 6 x 6 of the input. Both, and the filter, are read as polynomials
and evaluated at six points, one of them infinity, a side; there a convolution is a product of numbers. So of each of
36 points there is a product of matrices, and transforms in front of it and behind it.

Numbers at the points lie in blocks: ROWS tiles, and of each point CHUNK channels of each of these beside each other, so
that whatever a product or a transform needs of a block lies at fixed distances.
"""
