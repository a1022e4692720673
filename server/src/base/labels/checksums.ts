// Check digits of numbers that people, cards and accounts have. Each takes digits (or letters) alone.

const at = (digits: string, place: number): number => digits.charCodeAt(place) - 48;

/** Sum of the digits times weights, which repeat. */
export const weighted = (digits: string, weights: readonly number[]): number => {
  let sum = 0;
  for (let place = 0; place < digits.length; place++) sum += at(digits, place) * (weights[place % weights.length] ?? 0);
  return sum;
};

/** ISO/IEC 7812-1, annex B. */
export const luhn = (digits: string): boolean => {
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const doubled = at(digits, digits.length - 1 - place) * (place % 2 === 1 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
};

/** ISO 7064 MOD 97-10 over letters and digits, as IBANs have it with their head at the end. */
const mod97 = (text: string): number => {
  let rest = 0;
  for (const letter of text) {
    const value = Number.parseInt(letter, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest;
};

/** Whether an IBAN without blanks has the check digits of its number (ISO 13616). */
export const isIban = (plain: string): boolean => mod97(plain.slice(4) + plain.slice(0, 4)) === 1;

/** ISO 7064 MOD 11,10. */
export const mod11and10 = (digits: string): boolean => {
  let product = 10;
  for (let place = 0; place < digits.length - 1; place++) {
    const sum = (at(digits, place) + product) % 10 || 10;
    product = (sum * 2) % 11;
  }
  return (11 - product) % 10 === at(digits, digits.length - 1);
};

const times = ["0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432", "7659821043", "8765932104", "9876543210"];
const turned = ["0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258"];

export const verhoeff = (digits: string): boolean => {
  let check = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(turned[place % 8]?.[at(digits, digits.length - 1 - place)]);
    check = Number(times[check]?.[digit]);
  }
  return check === 0;
};

/** Whether a day of that name is in the calendar; years of two digits may be of any century. */
export const isDate = (year: number, month: number, day: number): boolean => {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0 || year < 100);
  return day <= (month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31);
};

export const numberAt = (digits: string, from: number, to: number): number => Number(digits.slice(from, to));
