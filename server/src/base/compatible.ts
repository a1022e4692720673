/** Whether nothing but its case could change when a text is folded or normalised. */
export const isAscii = (text: string): boolean => !/[^\u0000-\u007f]/.test(text);

/** Compatible forms made one (letters and digits of every width, NFKC), without what nobody sees. Characters that only look alike stay what they are: who is named by them is somebody else. */
export const compatible = (text: string): string => (isAscii(text) ? text : text.normalize("NFKC").replace(/\p{Default_Ignorable_Code_Point}/gu, ""));
